package inline

import (
	"context"
	"errors"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/decrypt"
)

const (
	// resetDrain bounds how long the rest of a session may take to arrive after the
	// device has reset it at one port.
	resetDrain = time.Second
	// resetPropagation bounds how long the reset of a leg may take to come through the
	// device.
	resetPropagation = 200 * time.Millisecond
)

// closeWaitFactor times the time-out is how long the device may be silent at one port
// after clearspan has sent a FIN at the other.
const closeWaitFactor = 4

// fault is where a session broke.
type fault uint8

const (
	noFault fault = iota
	clientLegFault
	originLegFault
	clientPortFault // the device, at the client's port
	originPortFault
)

// pathEnd is how one of the four paths of octets has ended.
type pathEnd struct {
	path  int
	fault fault
	err   error
}

// The paths of octets.
const (
	clientToDevice = iota
	deviceToOrigin
	originToDevice
	deviceToClient
	paths
)

// transfer is a session on its way through the device.
type transfer struct {
	client, origin         decrypt.End
	clientPort, originPort *socket
	closeWait              time.Duration // that the device may withhold an end
	ended                  chan pathEnd

	outcome         string // what became of it
	err             error  // why it ends
	finished        [paths]bool
	originPortReset bool // the device has reset the origin's port
	clientPortReset bool // and the client's, behind all that it had for the client
}

// start runs move in a goroutine of its own. A panic there ends its path.
func (t *transfer) start(path int, source fault, move func()) {
	go func() {
		if err := decrypt.Contain(func() error { move(); return nil }); err != nil {
			t.ended <- pathEnd{path, source, err}
		}
	}()
}

// run moves octets until all paths have ended. Both contexts end them.
func (t *transfer) run(ctx, device context.Context) error {
	t.start(clientToDevice, clientLegFault, func() { t.send(clientToDevice, t.clientPort, t.client, clientLegFault, clientPortFault) })
	t.start(deviceToOrigin, originPortFault, func() { t.receive(deviceToOrigin, t.origin, t.originPort, originPortFault, originLegFault) })
	t.start(originToDevice, originLegFault, func() { t.send(originToDevice, t.originPort, t.origin, originLegFault, originPortFault) })
	t.start(deviceToClient, clientPortFault, func() { t.receive(deviceToClient, t.client, t.clientPort, clientPortFault, clientLegFault) })
	t.outcome = Carried
	var deadline <-chan time.Time
	done, closed := ctx.Done(), device.Done()
	for left := paths; left > 0; {
		select {
		case e := <-t.ended:
			left--
			if wait := t.handleEnd(e); wait > 0 {
				timer := time.NewTimer(wait)
				defer timer.Stop()
				deadline = timer.C
			}
		case <-deadline:
			t.abort()
		case <-done:
			t.fail(Broken, ctx.Err())
			t.abort()
			done = nil
		case <-closed:
			t.fail(Broken, errClosed)
			t.abort()
			closed = nil
		}
	}
	t.clientPort.close()
	t.originPort.close()
	orderly := t.finished[deviceToClient] && (t.finished[clientToDevice] || t.clientPortReset)
	if t.outcome == Reset && orderly {
		return nil // the client has all that the device had for it
	}
	return t.err
}

// handleEnd takes the end of one path into account. It returns how long the others are
// waited for, 0 for no bound.
func (t *transfer) handleEnd(e pathEnd) (wait time.Duration) {
	first := t.outcome == Carried
	switch e.fault {
	case noFault:
		t.finished[e.path] = true
		// An end that the device loses is told by nobody: the socket that sent it
		// gives up, but no one waits for that one any more.
		switch e.path {
		case clientToDevice:
			t.originPort.limitReads(t.closeWait)
		case originToDevice:
			t.clientPort.limitReads(t.closeWait)
		}
	case clientLegFault:
		if first {
			t.fail(Broken, e.err)
			t.clientPort.reset() // which the device carries to the other port
			t.origin.Abort()
			wait = resetPropagation
		}
	case originLegFault:
		if first {
			t.fail(Broken, e.err)
			t.originPort.reset()
			t.client.Abort()
			wait = resetPropagation
		}
	case clientPortFault:
		switch {
		case !first:
			t.correctCause(e.err)
		case t.finished[deviceToClient] && isReset(e.err):
			t.clientPortReset = true
			t.fail(Reset, &failure{reasonReset, e.err})
			t.originPort.reset()
			t.origin.Abort()
		default:
			t.deviceFailed(e.err)
			t.abort()
		}
	case originPortFault:
		if !first {
			t.correctCause(e.err)
			break
		}
		t.deviceFailed(e.err)
		t.originPort.reset()
		t.originPortReset = true
		wait = resetDrain
	}
	if t.originPortReset && t.finished[deviceToClient] && t.finished[clientToDevice] {
		t.origin.Abort() // nothing of the client depends on it any more
	}
	return wait
}

func (t *transfer) fail(word string, err error) { t.outcome, t.err = word, err }

// deviceFailed tells a device that resets from one that swallows.
func (t *transfer) deviceFailed(err error) {
	if isReset(err) {
		t.fail(Reset, &failure{reasonReset, err})
	} else {
		t.fail(TimedOut, &failure{reasonTimeout, err})
	}
}

// correctCause corrects what became of the session: the kernel tells the cause of a break
// once, and who comes second may have ended first.
func (t *transfer) correctCause(err error) {
	if t.outcome == Reset && errors.Is(err, unix.ETIMEDOUT) {
		t.deviceFailed(err)
	}
}

func isReset(err error) bool {
	return errors.Is(err, errReset) || errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE)
}

// abort ends all paths.
func (t *transfer) abort() {
	t.clientPort.reset()
	t.originPort.reset()
	t.client.Abort()
	t.origin.Abort()
}

// send moves octets of a leg to the device, to their orderly end.
func (t *transfer) send(path int, to *socket, from decrypt.End, source, sink fault) {
	for {
		b, n, err := readEnd(from)
		var werr error
		if n > 0 {
			werr = to.write(b[:n])
		}
		if b != nil {
			putBuffer(b)
		}
		if werr == nil && err == io.EOF {
			werr = to.closeWrite()
		}
		switch {
		case werr != nil:
			t.ended <- pathEnd{path, sink, werr}
			return
		case err == io.EOF:
			t.ended <- pathEnd{path: path}
			return
		case err != nil:
			t.ended <- pathEnd{path, source, err}
			return
		}
	}
}

// receive moves octets of the device to a leg, to their orderly end.
func (t *transfer) receive(path int, to decrypt.End, from *socket, source, sink fault) {
	for {
		b, n, err := from.read()
		var werr error
		switch {
		case err == nil:
			_, werr = to.Write(b[:n])
			putBuffer(b)
		case err == io.EOF:
			werr = to.CloseWrite()
		}
		switch {
		case werr != nil:
			t.ended <- pathEnd{path, sink, werr}
			return
		case err == io.EOF:
			t.ended <- pathEnd{path: path}
			return
		case err != nil:
			t.ended <- pathEnd{path, source, err}
			return
		}
	}
}
