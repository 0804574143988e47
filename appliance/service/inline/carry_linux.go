package inline

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/decrypt"
)

// settling bounds how long the rest of a session may take to arrive when the
// device has reset one side of it, echoing how long the reset of a leg may take to
// come through the device.
const (
	settling = time.Second
	echoing  = 200 * time.Millisecond
)

// withholding times the time-out is how long the device may be silent towards one
// side when the other has sent its end.
const withholding = 4

// Carry implements [decrypt.Service].
func (d *Device) Carry(ctx context.Context, s *decrypt.Session, client, origin decrypt.End) error {
	if !d.Up() {
		return d.fail(s, client, origin, errDown)
	}
	port := s.Origin.Port()
	if d.config.Port != nil {
		port = d.config.Port(s)
	}
	from, to := sameFamily(s.Client, netip.AddrPortFrom(s.Origin.Addr(), port))
	through, err := d.dial(ctx, from, to)
	switch {
	case err == nil:
	case errors.Is(err, errReset):
		d.served(s, Reset)
		return &failure{reasonReset, err}
	case ctx.Err() != nil:
		d.served(s, Broken)
		return ctx.Err()
	default:
		if errors.Is(err, context.DeadlineExceeded) {
			d.ask() // it may be down
		}
		return d.fail(s, client, origin, err)
	}
	d.proven.Store(time.Now().UnixNano())
	d.tally.open.Add(1)
	defer d.tally.open.Add(-1)
	c := &carriage{
		client: client, origin: origin, near: through.near, far: through.far,
		ends: make(chan end, ways), withhold: withholding * d.config.Timeout,
	}
	err = c.run(ctx, d.ctx)
	word := c.word
	if word == Carried && through.changed {
		word = PortChanged
	}
	d.served(s, word)
	return err
}

// fail does what is configured for a session that the device has seen nothing of.
func (d *Device) fail(s *decrypt.Session, client, origin decrypt.End, err error) error {
	if d.config.FailOpen {
		d.log.Debug("session bypasses the device", "session", s.ID, "err", err)
		d.served(s, Bypassed)
		return past(client, origin)
	}
	d.served(s, Refused)
	return &failure{reasonFailed, err}
}

// place is where a session broke.
type place uint8

const (
	nowhere place = iota
	atClient
	atOrigin
	atNear // the device, at the client's side
	atFar
)

// end is how one of the four ways that octets take has ended.
type end struct {
	way int
	at  place
	err error
}

// The ways that octets take.
const (
	clientToDevice = iota
	deviceToOrigin
	originToDevice
	deviceToClient
	ways
)

// carriage is a session on its way through the device.
type carriage struct {
	client, origin decrypt.End
	near, far      *socket
	withhold       time.Duration // that the device may withhold an end
	ends           chan end

	word     string // what became of it
	err      error  // why it ends
	finished [ways]bool
	farGone  bool // the device has reset the origin's side
	nearGone bool // and the client's, behind all that it had for the client
}

// start has a way moved in a goroutine of its own; what it panics with is how it ends.
func (c *carriage) start(way int, source place, move func()) {
	go func() {
		if err := decrypt.Contain(func() error { move(); return nil }); err != nil {
			c.ends <- end{way, source, err}
		}
	}()
}

// run moves octets until all ways have ended. Both contexts end them.
func (c *carriage) run(ctx, device context.Context) error {
	c.start(clientToDevice, atClient, func() { c.send(clientToDevice, c.near, c.client, atClient, atNear) })
	c.start(deviceToOrigin, atFar, func() { c.receive(deviceToOrigin, c.origin, c.far, atFar, atOrigin) })
	c.start(originToDevice, atOrigin, func() { c.send(originToDevice, c.far, c.origin, atOrigin, atFar) })
	c.start(deviceToClient, atNear, func() { c.receive(deviceToClient, c.client, c.near, atNear, atClient) })
	c.word = Carried
	var patience <-chan time.Time
	done, closed := ctx.Done(), device.Done()
	for left := ways; left > 0; {
		select {
		case e := <-c.ends:
			left--
			if wait := c.note(e); wait > 0 {
				timer := time.NewTimer(wait)
				defer timer.Stop()
				patience = timer.C
			}
		case <-patience:
			c.abort()
		case <-done:
			c.broke(Broken, ctx.Err())
			c.abort()
			done = nil
		case <-closed:
			c.broke(Broken, errClosed)
			c.abort()
			closed = nil
		}
	}
	c.near.close()
	c.far.close()
	orderly := c.finished[deviceToClient] && (c.finished[clientToDevice] || c.nearGone)
	if c.word == Reset && orderly {
		return nil // the client has all that the device had for it
	}
	return c.err
}

// note takes the end of one way into account. It returns how long the others are
// waited for, 0 for no bound.
func (c *carriage) note(e end) (wait time.Duration) {
	first := c.word == Carried
	switch e.at {
	case nowhere:
		c.finished[e.way] = true
		// An end that the device loses is told by nobody: the socket that sent it
		// gives up, but no one waits for that one any more.
		switch e.way {
		case clientToDevice:
			c.far.expect(c.withhold)
		case originToDevice:
			c.near.expect(c.withhold)
		}
	case atClient:
		if first {
			c.broke(Broken, e.err)
			c.near.reset() // which the device carries to the far side
			c.origin.Abort()
			wait = echoing
		}
	case atOrigin:
		if first {
			c.broke(Broken, e.err)
			c.far.reset()
			c.client.Abort()
			wait = echoing
		}
	case atNear:
		switch {
		case !first:
			c.amend(e.err)
		case c.finished[deviceToClient] && isReset(e.err):
			c.nearGone = true
			c.broke(Reset, &failure{reasonReset, e.err})
			c.far.reset()
			c.origin.Abort()
		default:
			c.deviceBroke(e.err)
			c.abort()
		}
	case atFar:
		if !first {
			c.amend(e.err)
			break
		}
		c.deviceBroke(e.err)
		c.far.reset()
		c.farGone = true
		wait = settling
	}
	if c.farGone && c.finished[deviceToClient] && c.finished[clientToDevice] {
		c.origin.Abort() // nothing of the client depends on it any more
	}
	return wait
}

func (c *carriage) broke(word string, err error) { c.word, c.err = word, err }

// deviceBroke tells a device that resets from one that swallows.
func (c *carriage) deviceBroke(err error) {
	if isReset(err) {
		c.broke(Reset, &failure{reasonReset, err})
	} else {
		c.broke(TimedOut, &failure{reasonTimeout, err})
	}
}

// amend corrects what became of the session: the kernel tells the cause of a break
// once, and who comes second may have ended first.
func (c *carriage) amend(err error) {
	if c.word == Reset && errors.Is(err, unix.ETIMEDOUT) {
		c.deviceBroke(err)
	}
}

func isReset(err error) bool {
	return errors.Is(err, errReset) || errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE)
}

// abort ends all ways.
func (c *carriage) abort() {
	c.near.reset()
	c.far.reset()
	c.client.Abort()
	c.origin.Abort()
}

// send moves octets of a leg to the device, to their orderly end.
func (c *carriage) send(way int, to *socket, from decrypt.End, source, sink place) {
	for {
		b, n, err := readEnd(from)
		var werr error
		if n > 0 {
			werr = to.write(b[:n])
		}
		if b != nil {
			give(b)
		}
		if werr == nil && err == io.EOF {
			werr = to.closeWrite()
		}
		switch {
		case werr != nil:
			c.ends <- end{way, sink, werr}
			return
		case err == io.EOF:
			c.ends <- end{way: way}
			return
		case err != nil:
			c.ends <- end{way, source, err}
			return
		}
	}
}

// receive moves octets of the device to a leg, to their orderly end.
func (c *carriage) receive(way int, to decrypt.End, from *socket, source, sink place) {
	for {
		b, n, err := from.read()
		var werr error
		switch {
		case err == nil:
			_, werr = to.Write(b[:n])
			give(b)
		case err == io.EOF:
			werr = to.CloseWrite()
		}
		switch {
		case werr != nil:
			c.ends <- end{way, sink, werr}
			return
		case err == io.EOF:
			c.ends <- end{way: way}
			return
		case err != nil:
			c.ends <- end{way, source, err}
			return
		}
	}
}
