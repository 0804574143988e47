// Package client asks a running box by its control socket.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/control"
)

// ErrNotRunning is returned if nobody listens on the control socket.
var ErrNotRunning = errors.New("no appliance runs")

// maxAnswer bounds an answer that is no stream, in octets, if [Client.Bound] does not.
const maxAnswer = 256 << 20

// Client asks one box. It is safe for concurrent use.
type Client struct {
	path string // of the socket, as messages name it
	dir  *os.File
	http http.Client
	most int64 // octets of an answer that is no stream
}

// Open returns a client of the box with a state directory. The error wraps
// [ErrNotRunning] if there is none. The caller closes the client.
func Open(state string) (*Client, error) {
	var errs []error
	for _, path := range control.Paths(state) {
		c, err := At(path)
		if err == nil {
			return c, nil
		}
		if !errors.Is(err, ErrNotRunning) {
			return nil, err
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("%w with state directory %s: %w", ErrNotRunning, state, errors.Join(errs...))
}

// At returns a client of the box whose socket is at path.
func At(path string) (*Client, error) {
	c := &Client{path: path, most: maxAnswer}
	dir, err := os.OpenFile(filepath.Dir(path), os.O_RDONLY|syscall.O_DIRECTORY|unix.O_PATH, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &missing{path, "there is no " + filepath.Dir(path)}
	}
	if err != nil {
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	c.dir = dir
	c.http.Transport = &http.Transport{
		DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return c.dial(ctx) },
		DisableCompression: true,
		MaxIdleConns:       1,
	}
	probe, err := c.dial(context.Background())
	if err != nil {
		c.Close()
		return nil, err
	}
	probe.Close()
	return c, nil
}

// missing is the error of a socket that nobody listens on.
type missing struct{ path, why string }

func (m *missing) Error() string { return m.why }

func (m *missing) Is(target error) bool { return target == ErrNotRunning }

// dial connects, by a path that fits into a socket's address.
func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	at := filepath.Join("/proc/self/fd", strconv.Itoa(int(c.dir.Fd())), filepath.Base(c.path))
	conn, err := new(net.Dialer).DialContext(ctx, "unix", at)
	switch {
	case err == nil:
		return conn, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, &missing{c.path, "there is no " + c.path}
	case errors.Is(err, syscall.ECONNREFUSED):
		return nil, &missing{c.path, "nobody listens on " + c.path}
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("connect to %s: permission denied: ask as root, as the user of the process, or as a member of the group %s", c.path, control.Group)
	}
	return nil, fmt.Errorf("connect to %s: %w", c.path, err)
}

// Path returns where the socket is.
func (c *Client) Path() string { return c.path }

// Bound has answers that are no streams be read up to that many octets only. Call it
// before others.
func (c *Client) Bound(octets int64) { c.most = octets }

// Close ends the client.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return c.dir.Close()
}

// ask sends a request and reads the answer into to, unless that is nil.
func (c *Client) ask(ctx context.Context, method, path string, body, to any) error {
	res, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if to == nil {
		_, err = io.Copy(io.Discard, io.LimitReader(res.Body, c.most))
	} else {
		err = json.NewDecoder(io.LimitReader(res.Body, c.most)).Decode(to)
	}
	if err != nil {
		return fmt.Errorf("read answer of %s: %w", c.path, err)
	}
	return nil
}

// send sends a request. The caller closes the body of the answer, which is a success.
func (c *Client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	return c.accept(ctx, method, path, body, "application/json")
}

// accept is send, and says what content type the answer is to have.
func (c *Client) accept(ctx context.Context, method, path string, body any, kind string) (*http.Response, error) {
	text := ""
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("ask %s: %w", c.path, err)
		}
		text = string(data)
	}
	q, err := http.NewRequestWithContext(ctx, method, "http://clearspan"+path, strings.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", c.path, err)
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Accept", kind)
	res, err := c.http.Do(q)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // without the URL
		}
		return nil, fmt.Errorf("ask %s: %w", c.path, err)
	}
	if res.StatusCode < 300 {
		return res, nil
	}
	defer res.Body.Close()
	var p control.Problem
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&p); err != nil || p.Type == "" {
		return nil, fmt.Errorf("ask %s: %s", c.path, res.Status)
	}
	return nil, &p
}
