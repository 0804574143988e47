package keeper

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/keeper/role"
)

// ordersName is the name of the resource that is the keeper's own socket.
const ordersName = "orders"

const (
	socketName   = "keeper.sock"
	maxOrder     = 8 << 10 // octets
	orderTimeout = 5 * time.Second
	maxClients   = 16
)

// Order is what a client of the keeper's socket sends: one, as a line of JSON.
type Order struct {
	Do     string `json:"do"`               // "reload", "upgrade", "status", "end"
	Binary string `json:"binary,omitempty"` // of an upgrade; absolute
	Worker int    `json:"worker,omitempty"` // to end
}

// Reply is the answer to an order.
type Reply struct {
	Result *role.Result `json:"result,omitempty"`
	Status *role.Status `json:"status,omitempty"`
}

// Orders is the resource of the keeper's own socket, in a directory. It serves root and
// the user of the keeper, but no worker.
func Orders(dir string) Resource {
	return Resource{
		Name: ordersName, Key: "orders " + dir, Private: true,
		Open: func() (Holding, error) {
			l, err := listenIn(dir)
			if err != nil {
				return nil, fmt.Errorf("listen for orders: %w", err)
			}
			defer l.Close()
			f, err := l.File()
			if err != nil {
				return nil, fmt.Errorf("hold socket for orders: %w", err)
			}
			return ordersSocket{Files{f}, dir}, nil
		},
		Adopt: func(files []*os.File) (Holding, error) { return ordersSocket{Files(files), dir}, nil },
	}
}

type ordersSocket struct {
	files Files
	dir   string
}

// Files implements [Holding].
func (s ordersSocket) Files() []*os.File { return s.files }

// Stop implements [Holding]: orders are taken until the end.
func (s ordersSocket) Stop() error { return nil }

// Paths implements [Placed].
func (s ordersSocket) Paths() []string { return []string{filepath.Join(s.dir, socketName)} }

// Close implements [Holding].
func (s ordersSocket) Close() error {
	err := os.Remove(filepath.Join(s.dir, socketName))
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, s.files.Close())
}

// inDir calls f with a path of the socket that is short enough for the kernel: 107
// octets is the most (unix(7)).
func inDir[T any](dir string, f func(path string) (T, error)) (T, error) {
	d, err := os.Open(dir)
	if err != nil {
		var none T
		return none, err
	}
	defer d.Close()
	fd, err := role.Descriptor(d)
	if err != nil {
		var none T
		return none, err
	}
	return f(fmt.Sprintf("/proc/self/fd/%d/%s", fd, socketName))
}

// listenIn makes the socket, in the place of one that a killed process left. The lock of
// the state directory keeps two processes apart.
func listenIn(dir string) (*net.UnixListener, error) {
	return inDir(dir, func(path string) (*net.UnixListener, error) {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			return nil, err
		}
		l.SetUnlinkOnClose(false)
		if err := os.Chmod(path, 0o600); err != nil {
			l.Close()
			return nil, err
		}
		return l, nil
	})
}

// Send gives an order to the keeper whose socket is in dir, and waits for the reply.
func Send(dir string, o Order, limit time.Duration) (*Reply, error) {
	conn, err := inDir(dir, func(path string) (net.Conn, error) { return net.DialTimeout("unix", path, orderTimeout) })
	if err != nil {
		return nil, fmt.Errorf("reach the running clearspan: %w", err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(limit))
	if err := json.NewEncoder(conn).Encode(o); err != nil {
		return nil, fmt.Errorf("order: %w", err)
	}
	r := new(Reply)
	if err := json.NewDecoder(conn).Decode(r); err != nil {
		return nil, fmt.Errorf("wait for the running clearspan: %w", err)
	}
	return r, nil
}

// serveOrders serves the socket for orders, if a holding is that.
func (k *Keeper) serveOrders(name string, h Holding) {
	if name != ordersName {
		return
	}
	files := h.Files()
	if len(files) == 0 {
		return
	}
	l, err := net.FileListener(files[0])
	if err != nil {
		k.log.Error("orders are not taken", "err", err)
		return
	}
	room := make(chan struct{}, maxClients)
	go func() {
		<-k.ended
		l.Close()
	}()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed
			}
			select {
			case room <- struct{}{}:
				go func() {
					defer func() { <-room }()
					k.serveClient(conn.(*net.UnixConn))
				}()
			default:
				conn.Close()
			}
		}
	}()
}

// serveClient takes one order.
func (k *Keeper) serveClient(conn *net.UnixConn) {
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(orderTimeout))
	peer, err := peerOf(conn)
	if err != nil {
		return
	}
	o, err := readOrder(conn)
	if err != nil {
		return
	}
	done := make(chan Reply, 1)
	k.do(func() {
		switch {
		case int(peer.Uid) != os.Geteuid() && peer.Uid != 0,
			slices.ContainsFunc(k.workers, func(w *worker) bool { return w.process.Pid == int(peer.Pid) }):
			done <- Reply{Result: &role.Result{Error: "orders are taken from root and the user of clearspan only", Code: 2}}
		default:
			k.obey(o, conn, func(r Reply) { done <- r })
		}
	})
	select {
	case r := <-done:
		conn.SetWriteDeadline(time.Now().Add(orderTimeout))
		json.NewEncoder(conn).Encode(r) // an error: nobody waits any more
	case <-k.ended:
	}
}

// readOrder reads one line.
func readOrder(r io.Reader) (o Order, err error) {
	line, err := bufio.NewReader(io.LimitReader(r, maxOrder)).ReadBytes('\n')
	if err != nil {
		return o, err
	}
	return o, json.Unmarshal(line, &o)
}

// peerOf returns who is at the other end.
func peerOf(conn *net.UnixConn) (cred *unix.Ucred, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	failed := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	return cred, errors.Join(failed, err)
}

// obey does what an order says. reply is called once.
func (k *Keeper) obey(o Order, conn *net.UnixConn, reply func(Reply)) {
	result := func(r role.Result) { reply(Reply{Result: &r}) }
	switch o.Do {
	case "status":
		reply(Reply{Status: k.status()})
	case "reload":
		k.begin(request{reply: result})
	case "upgrade":
		client, err := conn.File()
		if err == nil && !filepath.IsAbs(o.Binary) {
			err = errors.New("upgrade: the path of the program is not absolute")
		}
		if err != nil {
			result(role.Result{Error: err.Error(), Code: 2})
			return
		}
		k.begin(request{binary: o.Binary, client: client, reply: func(r role.Result) {
			client.Close()
			result(r)
		}})
	case "end":
		for _, w := range k.workers {
			if w.number == o.Worker && w.state == Draining {
				k.end(w, "")
				result(role.Result{})
				return
			}
		}
		result(role.Result{Error: fmt.Sprintf("no worker %d is draining", o.Worker), Code: 2})
	default:
		result(role.Result{Error: fmt.Sprintf("unknown order %.20q", o.Do), Code: 2})
	}
}
