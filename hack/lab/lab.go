// Package lab runs real programs in the namespaces of a netlab: nginx, Postfix
// and Dovecot as origins, c-icap with ClamAV and Suricata as services, curl,
// swaks and openssl as clients, tcpdump as the recorder with tshark and tcpflow
// to judge what it recorded, and the appliance between them.
//
// Every program gets its configuration, state and logs in a directory of its
// lab and touches nothing else on the machine. Servers run in the foreground,
// several labs may run them at once. The package is for tests, benchmarks and
// the demonstration; it decrypts nothing and builds no network but [Gateway].
package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/clearspan/clearspan/hack/netlab"
)

const (
	startLimit = 20 * time.Second // for a server to become ready
	stopLimit  = 10 * time.Second // for a server to end after SIGTERM
	pollEvery  = 20 * time.Millisecond
)

// environment is what programs see instead of the caller's environment, whose
// proxies and trust stores must not matter here.
func environment(home string) []string {
	return []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=" + home, "LANG=C.UTF-8", "LC_ALL=C.UTF-8", "TZ=UTC",
		"GORACE=atexit_sleep_ms=0", // an appliance built with -race would linger for a second
	}
}

// Server is a program that runs until it is stopped or its lab is closed.
type Server struct {
	Dir string // its configuration and state

	name    string
	logFile string // what it wrote to its standard output and error
	cmd     *netlab.Cmd
}

// startServer runs a program with its output in dir/log and waits until ready
// returns true, at most startLimit. A nil ready waits for nothing.
func startServer(ns *netlab.Namespace, dir string, ready func(s *Server) bool, name string, args ...string) (*Server, error) {
	s := &Server{Dir: dir, name: filepath.Base(name), logFile: filepath.Join(dir, "log")}
	log, err := os.OpenFile(s.logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	s.cmd = ns.Command(context.Background(), name, args...)
	s.cmd.Env, s.cmd.Dir = environment(dir), dir
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	deadline := time.Now().Add(startLimit)
	for ready != nil && !ready(s) {
		select {
		case <-s.cmd.Done():
			return nil, fmt.Errorf("start %s: ended at once: %v\n%s", s.name, s.cmd.Wait(), s.Log())
		case <-time.After(pollEvery):
		}
		if time.Now().After(deadline) {
			err := s.Stop()
			return nil, fmt.Errorf("start %s: not ready after %v (%v)\n%s", s.name, startLimit, err, s.Log())
		}
	}
	return s, nil
}

// listening returns a readiness test: all ports accept connections on the
// loopback interface of the namespace, and those of greeting send something.
func listening(ns *netlab.Namespace, ports []int, greeting ...int) func(*Server) bool {
	ports = slices.Concat(ports, greeting)
	return func(*Server) bool {
		for len(ports) > 0 {
			if !answers(ns, ports[0], slices.Contains(greeting, ports[0])) {
				return false
			}
			ports = ports[1:]
		}
		return true
	}
}

// answers reports whether a port takes a connection and, if greets is set,
// sends an octet within a second.
func answers(ns *netlab.Namespace, port int, greets bool) bool {
	c, err := ns.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	defer func() { _ = c.Close() }()
	if !greets {
		return true
	}
	_ = c.SetReadDeadline(time.Now().Add(time.Second))
	_, err = c.Read(make([]byte, 1))
	return err == nil
}

// Log returns what the server wrote so far.
func (s *Server) Log() string {
	text, err := os.ReadFile(s.logFile)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Pid returns the process id.
func (s *Server) Pid() int { return s.cmd.Pid() }

// Done is closed when the server has ended.
func (s *Server) Done() <-chan struct{} { return s.cmd.Done() }

// Signal sends a signal to the server's main process.
func (s *Server) Signal(sig syscall.Signal) error { return s.cmd.Signal(sig) }

// SignalAll sends a signal to all of the server's processes: the main one, and
// those that come of it.
func (s *Server) SignalAll(sig syscall.Signal) error {
	for list := []int{s.Pid()}; len(list) > 0; list = list[1:] {
		children, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", list[0]))
		if err != nil {
			return err
		}
		for _, file := range children {
			text, _ := os.ReadFile(file) // the thread may have ended
			for _, pid := range strings.Fields(string(text)) {
				if n, err := strconv.Atoi(pid); err == nil {
					list = append(list, n)
				}
			}
		}
		if err := syscall.Kill(list[0], sig); err != nil {
			return fmt.Errorf("signal %s: %w", s.name, err)
		}
	}
	return nil
}

// Stop ends the server with SIGTERM, after 10 s with SIGKILL, and waits. An end
// other than with status 0 or by SIGTERM is an error that holds the log.
func (s *Server) Stop() error { return s.stop(stopLimit, true) }

func (s *Server) stop(limit time.Duration, bySignal bool) error {
	err := s.cmd.Stop(limit)
	var exit interface{ Sys() any }
	if bySignal && errors.As(err, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGTERM {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("stop %s: %w\n%s", s.name, err, s.Log())
	}
	return nil
}

// writeFiles writes files below dir, world-readable, making directories.
func writeFiles(dir string, files map[string]string) error {
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
