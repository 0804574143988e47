package engine

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Receiver takes the records of senders.
type Receiver struct {
	// Take takes a record. It borrows p until it returns.
	Take func(p []byte, at time.Time, comment string)
	// Flush has everything stored that was taken before.
	Flush func()
}

const (
	storeEvery  = 100 * time.Millisecond
	storeOctets = 1 << 20
	maxFrame    = 8 + 2 + maxComment + headSize + 9 + MaxOctets
	helloFor    = 5 * time.Second
)

// Serve reads one connection to its end. The error is nil if the sender has ended it in order.
func (r *Receiver) Serve(conn net.Conn) error {
	hello := make([]byte, len(magic)+8)
	conn.SetReadDeadline(time.Now().Add(helloFor))
	if _, err := io.ReadFull(conn, hello); err != nil {
		return err
	}
	if string(hello[:len(magic)]) != magic {
		return errRecord
	}
	conn.SetReadDeadline(time.Time{})
	sender := le.Uint64(hello[len(magic):])
	c := &connection{Receiver: r, conn: conn, in: bufio.NewReaderSize(conn, 256<<10)}
	err := c.read()
	if errors.Is(err, net.ErrClosed) {
		return nil // the receiver ends: the sender goes on with the next one
	}
	gone := Record{Kind: Gone, Sender: sender}
	r.Take(gone.Append(nil), time.Now(), "")
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

type connection struct {
	*Receiver
	conn net.Conn
	in   *bufio.Reader

	mu     sync.Mutex
	taken  uint64 // octets of whole records
	stored uint64
}

// read reads records, and says which are stored.
func (c *connection) read() error {
	if err := c.receipt(); err != nil { // which tells the sender that somebody is there
		return err
	}
	stop := make(chan struct{})
	var receipts sync.WaitGroup
	receipts.Go(func() {
		tick := time.NewTicker(storeEvery)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				if c.store(0) != nil {
					return // the connection ends
				}
			}
		}
	})
	defer receipts.Wait()
	defer close(stop)
	buffer := make([]byte, maxFrame)
	for {
		size := buffer[:4]
		if _, err := io.ReadFull(c.in, size); err != nil {
			return err
		}
		n := int(le.Uint32(size))
		if n < 10+headSize || n > maxFrame {
			return fmt.Errorf("%w: it has %d octets", errRecord, n)
		}
		p := buffer[:n]
		if _, err := io.ReadFull(c.in, p); err != nil {
			return err
		}
		at, comment := time.Unix(0, int64(le.Uint64(p))), int(le.Uint16(p[8:]))
		if p = p[10:]; comment > len(p) {
			return errRecord
		}
		if _, err := Parse(p[comment:]); err != nil {
			return err
		}
		c.Take(p[comment:], at, string(p[:comment]))
		c.mu.Lock()
		c.taken += uint64(4 + n)
		c.mu.Unlock()
		if err := c.store(storeOctets); err != nil {
			return err
		}
	}
}

// store has what was taken stored, if that is more than some octets, and says so.
func (c *connection) store(least uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.taken-c.stored <= least {
		return nil
	}
	c.Flush()
	c.stored = c.taken
	return c.write()
}

// receipt says what is stored.
func (c *connection) receipt() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.write()
}

func (c *connection) write() error {
	c.conn.SetWriteDeadline(time.Now().Add(patience))
	_, err := c.conn.Write(le.AppendUint64(nil, c.stored))
	return err
}
