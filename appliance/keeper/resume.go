package keeper

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/keeper/role"
)

// resume goes on where the keeper before this one left off. After an error nothing was
// taken over, and the program before could not be run again either.
func (k *Keeper) resume() error {
	role.Name()
	data, err := role.ReadMemFile(k.cfg.Inherited)
	if err != nil {
		return err
	}
	m := new(manifest)
	if err := json.Unmarshal(data, m); err != nil {
		return fmt.Errorf("decode manifest: %w", err)
	}
	if err := k.adoptAll(m); err != nil {
		return k.returnAsIs(m, err)
	}
	for _, w := range k.workers {
		go k.watch(w)
	}
	for _, h := range k.held {
		k.serveOrders(h.Name, h.holding)
	}
	var client *os.File
	if m.Client >= 0 {
		client = os.NewFile(uintptr(m.Client), "client")
	}
	if m.Failed != "" {
		k.log.Error("upgrade undone", "err", m.Failed)
		answerClient(client, role.Result{Error: m.Failed, Code: 2})
		k.cfg.Told(Ready)
		return nil
	}
	k.previous = os.NewFile(uintptr(m.Previous), "previous program")
	c := &change{request: request{upgraded: true, client: client}, plan: k.plan}
	c.reply = func(r role.Result) {
		answerClient(client, r)
		k.previous.Close()
		k.previous = nil
	}
	k.change = c
	k.open(c)
	return nil
}

// adoptAll takes over what the manifest names. It closes nothing, so that after an error
// all is as it was.
func (k *Keeper) adoptAll(m *manifest) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("take over: %v", v)
		}
	}()
	if m.Contract != role.Contract {
		return fmt.Errorf("the manifest has version %d of the contract, this program %d", m.Contract, role.Contract)
	}
	k.inherited = map[int]*os.File{}
	file := func(fd int, name string) *os.File {
		f := os.NewFile(uintptr(fd), name)
		k.inherited[fd] = f // a file that nobody refers to would be closed
		return f
	}
	text, err := role.ReadMemFile(file(m.Plan, "configuration"))
	if err != nil {
		return err
	}
	if k.plan, err = k.cfg.MakePlan(text); err != nil {
		return err
	}
	k.number, k.passphrase = m.Number, m.Passphrase
	for _, one := range m.Held {
		var files []*os.File
		for _, fd := range one.Files {
			files = append(files, file(fd, one.Name))
		}
		h := &held{Resource: Resource{Name: one.Name, Key: one.Key, Private: one.Private}, holding: Files(files), stopped: one.Stopped}
		if len(one.Paths) > 0 {
			h.holding = placed{files, one.Paths}
		}
		i := slices.IndexFunc(k.plan.Resources, func(r Resource) bool { return r.Key == one.Key })
		if i >= 0 && !one.Stopped {
			h.Resource = k.plan.Resources[i]
			if h.holding, err = h.Adopt(files); err != nil {
				return fmt.Errorf("take %s over: %w", one.Name, err)
			}
		}
		k.held = append(k.held, h)
	}
	for _, one := range m.Workers {
		w, err := k.adoptWorker(one, file(one.Socket, "socket"), file(one.Crash, "crash"))
		if err != nil {
			return err
		}
		k.workers = append(k.workers, w)
	}
	for _, f := range k.inherited {
		if err := setInherited([]*os.File{f}, false); err != nil {
			return err
		}
	}
	for _, fd := range []int{m.Client, m.Previous} {
		if fd >= 0 {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

// adoptWorker takes a running worker over.
func (k *Keeper) adoptWorker(one manifestWorker, socket, crash *os.File) (*worker, error) {
	conn, err := net.FileConn(socket)
	if err != nil {
		return nil, fmt.Errorf("take worker %d over: %w", one.Number, err)
	}
	process, err := os.FindProcess(one.PID)
	if err != nil {
		return nil, fmt.Errorf("take worker %d over: %w", one.Number, err)
	}
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, fmt.Errorf("take worker %d over: no Unix socket", one.Number)
	}
	w := newWorker(one.Number, process, role.NewConn(unixConn, true), crash)
	w.plan, w.state, w.since, w.killAt, w.sessions = k.plan, one.State, one.Since, one.KillAt, one.Sessions
	w.uses = make(map[string]bool)
	for _, key := range one.Uses {
		w.uses[key] = true
	}
	return w, nil
}

// returnAsIs runs the program before, with what it left.
func (k *Keeper) returnAsIs(m *manifest, cause error) error {
	if m.Failed != "" || m.Previous < 0 {
		return cause
	}
	m.Failed = cause.Error()
	previous := os.NewFile(uintptr(m.Previous), "previous program")
	path, err := pathOf(previous)
	if err != nil {
		return errors.Join(cause, err)
	}
	inherit := []*os.File{previous}
	for _, f := range k.inherited {
		inherit = append(inherit, f)
	}
	return errors.Join(cause, k.exec(path, *m, inherit))
}

// goBack runs the program that was there before an upgrade, when workers are silent.
func (k *Keeper) goBack(cause error) {
	c := k.change
	c.failure, c.worker, c.until = cause.Error(), nil, time.Time{}
	path, err := pathOf(k.previous)
	var program *os.File
	if err == nil {
		program, err = os.Open(path)
	}
	if err != nil {
		c.upgraded = false
		k.refused(errors.Join(cause, err))
		return
	}
	c.program = program
	k.quiesce()
}

// answerClient tells whoever asked for an upgrade how it went.
func answerClient(client *os.File, r role.Result) {
	if client == nil {
		return
	}
	defer client.Close()
	conn, err := net.FileConn(client)
	if err != nil {
		return
	}
	defer conn.Close()
	conn.SetWriteDeadline(time.Now().Add(orderTimeout))
	json.NewEncoder(conn).Encode(Reply{Result: &r}) // an error: nobody waits any more
}
