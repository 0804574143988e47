package inline

import (
	"io"
	"sync"

	"github.com/clearspan/clearspan/decrypt"
)

// awaiter is an end that can be waited for without a buffer.
type awaiter interface{ Await() error }

// readEnd waits for octets of an end. The caller gives the buffer back, of which n
// octets are set, unless it is nil. There may be octets beside an error.
func readEnd(e decrypt.End) (b *[chunk]byte, n int, err error) {
	if a, ok := e.(awaiter); ok {
		if err := a.Await(); err != nil {
			return nil, 0, err
		}
	}
	b = getBuffer()
	n, err = e.Read(b[:])
	return b, n, err
}

// bypass relays a session beside the device.
func bypass(client, origin decrypt.End) error {
	var wg sync.WaitGroup
	var once sync.Once
	var first error
	move := func(to, from decrypt.End) {
		if err := decrypt.Contain(func() error { return moveEnd(to, from) }); err != nil {
			once.Do(func() {
				first = err
				client.Abort()
				origin.Abort()
			})
		}
	}
	wg.Go(func() { move(client, origin) })
	move(origin, client)
	wg.Wait()
	return first
}

// moveEnd relays one direction to its orderly end.
func moveEnd(to, from decrypt.End) error {
	for {
		b, n, err := readEnd(from)
		if n > 0 {
			if _, werr := to.Write(b[:n]); werr != nil {
				err = werr
			}
		}
		if b != nil {
			putBuffer(b)
		}
		if err == io.EOF {
			return to.CloseWrite()
		}
		if err != nil {
			return err
		}
	}
}
