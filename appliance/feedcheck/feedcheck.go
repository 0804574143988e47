// Package feedcheck judges captures and live interfaces for the command line. It
// applies the rules of package conformance.
package feedcheck

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/clearspan/clearspan/mirror/conformance"
)

// Options says what to read and how strictly to judge it.
type Options struct {
	For      time.Duration // 0: a minute of an interface, all of a stream
	MTU      int           // 0: 1500
	Cut      bool          // see conformance.Options
	Progress io.Writer     // for a line now and then; may be nil
}

// stdin stands for standard input.
const stdin = "-"

// defaultFor is how long an interface is read.
const defaultFor = time.Minute

// Run judges captures, read one after the other as one, or an interface, until
// they or ctx end. An argument that names no file names an interface, which must
// be the only one. If something could not be read to its end, there is an error,
// and the report on what was read up to there, nil if that is nothing.
func Run(ctx context.Context, args []string, o Options) (*conformance.Report, error) {
	files := make([]*os.File, 0, len(args))
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	var size int64 // of all files; 0: not known
	for _, arg := range args {
		f, err := open(arg)
		if errors.Is(err, fs.ErrNotExist) && len(args) == 1 && isInterface(arg) {
			return listen(ctx, arg, o)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s is neither a file nor an interface of this machine", arg)
		}
		if err != nil {
			return nil, err
		}
		files = append(files, f)
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
	}
	if o.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.For)
		defer cancel()
	}
	checker := conformance.New(conformance.Options{MTU: o.MTU, Cut: o.Cut})
	progress := newProgress(o.Progress, uint64(size))
	defer progress.done()
	for _, f := range files {
		if err := read(ctx, checker, f, progress); err != nil {
			return partial(checker), fmt.Errorf("read %s: %w", f.Name(), err)
		}
	}
	return checker.Report(), nil
}

func open(arg string) (*os.File, error) {
	if arg == stdin {
		return standardInput()
	}
	f, err := os.Open(arg)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		f.Close()
		return nil, fmt.Errorf("%s is a directory", arg)
	}
	return f, nil
}

// standardInput returns standard input; a pipe in a form that knows deadlines.
func standardInput() (*os.File, error) {
	info, err := os.Stdin.Stat()
	if err != nil || info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket) == 0 {
		return os.Stdin, err
	}
	if err := syscall.SetNonblock(syscall.Stdin, true); err != nil {
		return nil, fmt.Errorf("set up standard input: %w", err)
	}
	return os.NewFile(uintptr(syscall.Stdin), os.Stdin.Name()), nil
}

// read adds one capture. A stream that is silent when ctx ends is left.
func read(ctx context.Context, c *conformance.Checker, f *os.File, p *progress) error {
	before := p.octets
	stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Now()) }) // works for pipes only
	defer stop()
	err := c.ReadFrom(ctx, f, func(n uint64) { p.show(before + n) })
	if ctx.Err() != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// partial reports on what was read before an error.
func partial(c *conformance.Checker) *conformance.Report {
	if r := c.Report(); r.Frames > 0 {
		return r
	}
	return nil
}
