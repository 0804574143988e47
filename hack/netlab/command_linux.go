package netlab

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"time"
)

// Cmd is a process inside a namespace: what exec.Cmd is outside. Set the fields
// before Start. It runs in a session of its own, so that a server may signal
// its process group without meeting ours, and gets SIGTERM if this process
// dies. The lab waits for it in any case; it need not be waited for.
type Cmd struct {
	Env            []string // nil: that of this process
	Dir            string
	Stdin          io.Reader
	Stdout, Stderr io.Writer // nil: discarded

	namespace *Namespace
	cmd       *exec.Cmd
	done      chan struct{} // closed when the process has ended and err is set
	err       error
}

// Command prepares a process; ctx ends it with SIGTERM, 2 s later with SIGKILL.
func (n *Namespace) Command(ctx context.Context, name string, args ...string) *Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	// Descendants that keep an output open do not hold up Wait for longer.
	cmd.WaitDelay = 2 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGTERM}
	return &Cmd{namespace: n, cmd: cmd, done: make(chan struct{})}
}

// Start starts the process. It is to be called once.
func (c *Cmd) Start() error {
	c.cmd.Env, c.cmd.Dir, c.cmd.Stdin = c.Env, c.Dir, c.Stdin
	c.cmd.Stdout, c.cmd.Stderr = c.Stdout, c.Stderr
	n := c.namespace
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ending {
		return ErrClosed
	}
	result := make(chan error, 1)
	n.jobs <- func() { result <- c.cmd.Start() }
	if err := <-result; err != nil {
		return fmt.Errorf("start %s in namespace %s: %w", c.cmd.Path, n.name, err)
	}
	n.commands[c] = struct{}{}
	go func() {
		c.err = c.cmd.Wait()
		close(c.done)
		n.mu.Lock()
		delete(n.commands, c)
		n.mu.Unlock()
	}()
	return nil
}

// Pid returns the process id of a started process.
func (c *Cmd) Pid() int { return c.cmd.Process.Pid }

// Done is closed when the started process has ended.
func (c *Cmd) Done() <-chan struct{} { return c.done }

// Wait waits for the end of the started process. It may be called by several
// goroutines, each gets what exec.Cmd.Wait says.
func (c *Cmd) Wait() error {
	<-c.done
	return c.err
}

// Signal sends a signal to the started process. os.ErrProcessDone is returned
// if it has ended.
func (c *Cmd) Signal(sig syscall.Signal) error { return c.cmd.Process.Signal(sig) }

// Stop ends the started process: SIGTERM, after grace SIGKILL. It returns what
// Wait returns, so that an end by a signal is an *exec.ExitError.
func (c *Cmd) Stop(grace time.Duration) error {
	_ = c.Signal(syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-c.done:
	case <-timer.C:
		_ = c.Signal(syscall.SIGKILL)
	}
	return c.Wait()
}

// Run starts the process and waits for its end.
func (c *Cmd) Run() error {
	if err := c.Start(); err != nil {
		return err
	}
	return c.Wait()
}

// Output runs the process and returns what it wrote to its standard output.
func (c *Cmd) Output() ([]byte, error) {
	var out bytes.Buffer
	c.Stdout = &out
	err := c.Run()
	return out.Bytes(), err
}

// CombinedOutput runs the process and returns what it wrote.
func (c *Cmd) CombinedOutput() ([]byte, error) {
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	return out.Bytes(), err
}

// endProcesses ends what Start started and what descends from it, however
// detached: all that lives in the namespace. It refuses further starts.
func (n *Namespace) endProcesses(grace time.Duration) error {
	n.mu.Lock()
	n.ending = true
	commands := make([]*Cmd, 0, len(n.commands))
	for c := range n.commands {
		commands = append(commands, c)
	}
	n.mu.Unlock()
	for _, c := range commands {
		_ = c.Signal(syscall.SIGTERM)
	}
	deadline := time.Now().Add(grace)
	for _, c := range commands {
		_ = c.Stop(time.Until(deadline))
	}
	if err := endInside(n.inode, grace); err != nil {
		return fmt.Errorf("end processes in namespace %s: %w", n.full, err)
	}
	return nil
}
