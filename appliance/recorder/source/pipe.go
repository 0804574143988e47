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
	if err := unix.SetNonblock(int(in.Fd()), true); err != nil { // so that a read ends with Run
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return &pipe{name: name, in: os.NewFile(in.Fd(), name), file: in}, nil
}

type pipe struct {
	lossless
	name     string
	in, file *os.File
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
	if err := p.in.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}
