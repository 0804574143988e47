package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/recorder/volume"
)

// Pipe is a capture that another program writes, such as standard input. It ends when that
// does. It takes the file.
func Pipe(name string, in *os.File) (Source, error) {
	// A descriptor of its own, which does not block: a read ends with Run. Two files of one
	// descriptor would close it twice, and the second time it is another one's.
	fd, err := unix.FcntlInt(in.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return &pipe{name: name, in: os.NewFile(uintptr(fd), name), file: in}, nil
}

type pipe struct {
	lossless
	name     string
	in, file *os.File // file is what was given
}

func (p *pipe) Name() string { return p.name }

func (p *pipe) Run(ctx context.Context, take func(volume.Frame)) error {
	defer context.AfterFunc(ctx, func() { p.in.Close() })()
	err := frames(ctx, p.in, take)
	if errors.Is(err, io.EOF) || ctx.Err() != nil {
		return nil
	}
	return err
}

func (p *pipe) Close() error {
	var failed error
	for _, f := range []*os.File{p.in, p.file} {
		if err := f.Close(); !errors.Is(err, os.ErrClosed) {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}
