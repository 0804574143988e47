package gate

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// Beside is a command that runs while tests wait, at low priority.
type Beside struct {
	line   string
	output bytes.Buffer
	done   chan error
}

// StartBeside starts a line of a shell in a folder. The end of ctx interrupts it.
func StartBeside(ctx context.Context, folder, line string) (*Beside, error) {
	b := &Beside{line: line, done: make(chan error, 1)}
	cmd := exec.CommandContext(ctx, "nice", "-n", "10", "sh", "-c", "exec "+line)
	cmd.Dir, cmd.Stdout, cmd.Stderr = folder, &b.output, &b.output
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", line, err)
	}
	go func() { b.done <- cmd.Wait() }()
	return b, nil
}

// Wait waits for the command's end, writes its line and what it said to out, and
// returns an error if it failed. It may be called once.
func (b *Beside) Wait(out io.Writer) error {
	err := <-b.done
	fmt.Fprintf(out, "%s\n%s", b.line, b.output.Bytes())
	if err != nil {
		return fmt.Errorf("%s: %w", b.line, err)
	}
	return nil
}
