package keeper

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/keeper/role"
)

// variable names the descriptor with the manifest in the environment of a keeper that
// takes the place of another one.
const variable = "CLEARSPAN_KEEPER"

// manifest is what a keeper leaves to the next one, in memory. Numbers of descriptors
// stay.
type manifest struct {
	Contract   int              `json:"contract"`
	Number     int              `json:"number"`
	Passphrase string           `json:"passphrase,omitempty"`
	Plan       int              `json:"plan"` // configuration in force
	Held       []manifestHeld   `json:"held"`
	Workers    []manifestWorker `json:"workers"`
	Client     int              `json:"client"`   // who asked for the upgrade; -1: nobody
	Previous   int              `json:"previous"` // the program that ran before
	Failed     string           `json:"failed,omitempty"`
}

type manifestHeld struct {
	Name    string `json:"name"`
	Key     string `json:"key"`
	Private bool   `json:"private,omitempty"`
	Stopped bool   `json:"stopped,omitempty"`
	Files   []int  `json:"files"`
	// Paths are removed when a resource is closed that only draining workers use.
	Paths []string `json:"paths,omitempty"`
}

type manifestWorker struct {
	Number   int       `json:"number"`
	PID      int       `json:"pid"`
	Since    time.Time `json:"since"`
	State    State     `json:"state"`
	KillAt   time.Time `json:"kill_at,omitzero"`
	Sessions int       `json:"sessions"`
	Uses     []string  `json:"uses"`
	Socket   int       `json:"socket"`
	Crash    int       `json:"crash"`
}

// Inherit returns the manifest that a keeper before this one left, nil if there was none.
// Call it first.
func Inherit() *os.File {
	text, ok := os.LookupEnv(variable)
	if !ok {
		return nil
	}
	os.Unsetenv(variable)
	fd, err := strconv.Atoi(text)
	if err != nil || fd < 3 {
		return nil
	}
	return os.NewFile(uintptr(fd), "manifest")
}

// tryProgram has a new program look at the configuration in force, as a worker does.
func (k *Keeper) tryProgram(c *change, plan *Plan) {
	program, err := os.Open(c.binary)
	if err == nil {
		if err = k.consult(program, plan); err != nil {
			program.Close()
		}
	}
	k.do(func() {
		switch {
		case k.change != c:
			if err == nil {
				program.Close()
			}
		case err != nil:
			k.refused(fmt.Errorf("upgrade to %s: %w", c.binary, err))
		case k.occupied(plan) != "":
			program.Close()
			k.refused(fmt.Errorf("upgrade needs a restart: %s has changed", k.occupied(plan)))
		case k.leaving() != "":
			program.Close()
			k.refused(fmt.Errorf("upgrade must wait: older workers use %s, which is not configured any more", k.leaving()))
		default:
			c.program = program
			k.quiesce()
		}
	})
}

// pathOf is a path of an open file, for execve(2).
func pathOf(f *os.File) (string, error) {
	fd, err := role.Descriptor(f)
	return fmt.Sprintf("/proc/self/fd/%d", fd), err
}

// consult runs a program as a worker that checks the configuration and no more.
func (k *Keeper) consult(program *os.File, plan *Plan) error {
	path, err := pathOf(program)
	if err != nil {
		return err
	}
	text, err := role.MemFile(role.FileConfiguration, plan.Configuration)
	if err != nil {
		return err
	}
	defer text.Close()
	w, err := k.spawn(path, &role.Start{Contract: role.Contract, Options: k.cfg.Options, Check: true},
		[]role.Descriptors{{Name: role.FileConfiguration, Count: 1}}, []*os.File{text})
	if err != nil {
		return err
	}
	timer := time.AfterFunc(k.cfg.Patience, w.kill)
	version, err := judge(w.conn)
	if !timer.Stop() {
		err = fmt.Errorf("it does not answer within %v", k.cfg.Patience)
	}
	w.kill()
	w.process.Wait()
	w.conn.Close()
	w.crash.Close()
	if err == nil && older(version, k.cfg.Version) {
		err = fmt.Errorf("version %s is older than %s, which runs", version, k.cfg.Version)
	}
	return err
}

// judge reads what a program says of the configuration.
func judge(conn *role.Conn) (version string, err error) {
	m, _, err := conn.Receive()
	switch {
	case err != nil:
		return "", fmt.Errorf("it does not start: %w", err)
	case m.Kind == role.KindReady:
		return m.Version, nil
	case m.Kind == role.KindEnd && m.Result.Err() != nil:
		return "", m.Result.Err()
	}
	return "", errors.New("it does not start as a worker")
}

// quiesce has nobody read workers' messages any more: half of one must not be lost.
func (k *Keeper) quiesce() {
	for _, w := range k.workers {
		w.conn.Pause()
	}
	k.quiet()
}

// speak ends that.
func (k *Keeper) speak() {
	for _, w := range k.workers {
		w.conn.Resume()
		if w.silent {
			w.silent = false
			w.resume <- struct{}{}
		}
	}
}

// silent is told that a worker's messages are read no more.
func (k *Keeper) silent(w *worker) {
	w.silent = true
	if k.change == nil || k.change.program == nil { // no reason any more
		k.speak()
		return
	}
	k.quiet()
}

// quiet runs the new program when no message is read any more.
func (k *Keeper) quiet() {
	c := k.change
	if c == nil || c.program == nil || slices.ContainsFunc(k.workers, func(w *worker) bool { return !w.silent }) {
		return
	}
	err := k.become(c.program, manifest{Client: -1, Failed: c.failure}, c.client)
	c.program.Close()
	c.program = nil
	k.speak()
	if c.upgraded { // and no way back: the new program stays, and so does the old worker
		c.upgraded = false
		err = errors.Join(errors.New(c.failure), err)
	}
	k.refused(fmt.Errorf("upgrade: %w", err))
}

// become runs a program in the place of this one. It returns if that fails.
func (k *Keeper) become(program *os.File, m manifest, client *os.File) error {
	path, err := pathOf(program)
	if err != nil {
		return err
	}
	own, err := os.Open("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("open the program that runs: %w", err)
	}
	defer own.Close()
	var inherit []*os.File
	number := func(f *os.File) int {
		fd, bad := role.Descriptor(f)
		err = errors.Join(err, bad)
		inherit = append(inherit, f)
		return fd
	}
	m.Contract, m.Number, m.Passphrase, m.Previous = role.Contract, k.number, k.passphrase, number(own)
	if client != nil {
		m.Client = number(client)
	}
	text, bad := role.MemFile(role.FileConfiguration, k.plan.Configuration)
	if bad != nil {
		return bad
	}
	defer text.Close()
	m.Plan = number(text)
	for _, h := range k.held {
		one := manifestHeld{Name: h.Name, Key: h.Key, Private: h.Private, Stopped: h.stopped}
		for _, f := range h.holding.Files() {
			if _, closed := role.Descriptor(f); !h.stopped || closed == nil {
				one.Files = append(one.Files, number(f))
			}
		}
		if p, ok := h.holding.(Placed); ok {
			one.Paths = p.Paths()
		}
		m.Held = append(m.Held, one)
	}
	for _, w := range k.workers {
		socket, bad := w.conn.File()
		if bad != nil {
			return bad
		}
		defer socket.Close()
		one := manifestWorker{Number: w.number, PID: w.process.Pid, Since: w.since, State: w.state, KillAt: w.killAt, Sessions: w.sessions,
			Socket: number(socket), Crash: number(w.crash)}
		for key := range w.uses {
			one.Uses = append(one.Uses, key)
		}
		m.Workers = append(m.Workers, one)
	}
	if err != nil {
		return err
	}
	return k.exec(path, m, inherit)
}

// exec runs the program at path with a manifest and open descriptors.
func (k *Keeper) exec(path string, m manifest, inherit []*os.File) error {
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode manifest: %w", err)
	}
	list, err := role.MemFile("manifest", data)
	if err != nil {
		return err
	}
	defer list.Close()
	inherit = append(inherit, list)
	fd, err := role.Descriptor(list)
	if err != nil {
		return err
	}
	environ := append(os.Environ(), variable+"="+strconv.Itoa(fd))
	if k.cfg.Environ != nil {
		environ = append(environ, k.cfg.Environ()...)
	}
	if err := setInherited(inherit, true); err != nil {
		return err
	}
	k.log.Info("another program takes over", "pid", os.Getpid())
	// A signal between two programs would end the process.
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM)
	err = unix.Exec(path, os.Args, environ)
	k.listen()
	return errors.Join(fmt.Errorf("run it: %w", err), setInherited(inherit, false))
}

// setInherited says whether descriptors outlive execve(2).
func setInherited(files []*os.File, yes bool) error {
	flag := unix.FD_CLOEXEC
	if yes {
		flag = 0
	}
	for _, f := range files {
		fd, err := role.Descriptor(f)
		if err == nil {
			_, err = unix.FcntlInt(uintptr(fd), unix.F_SETFD, flag)
		}
		if err != nil {
			return fmt.Errorf("hand descriptors over: %w", err)
		}
	}
	return nil
}
