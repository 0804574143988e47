package h1

// maxPipeline bounds the requests that wait for their answers.
const maxPipeline = 32

// exchange is a request on its way to be answered by the origin.
type exchange struct {
	request []byte // header block as sent, nil if no service wants responses
	method  []byte // one of those below, nil for any other
	minor   int    // of HTTP/1
	upgrade bool   // asked for one
	socket  bool   // to WebSocket
	http2   bool   // to HTTP/2

	pushed    bool // onto the queue
	continued bool // the client was told to go on
	answered  bool // the final response has begun
}

// Methods on which the framing of a response depends.
var (
	methodHead    = []byte("HEAD")
	methodConnect = []byte("CONNECT")
)

// newExchange returns the exchange that a request begins.
func newExchange(r *request) *exchange {
	e := &exchange{minor: r.Minor, upgrade: r.upgrade, http2: r.http2, socket: r.socket}
	switch {
	case r.is("HEAD"):
		e.method = methodHead
	case r.is("CONNECT"):
		e.method = methodConnect
	}
	return e
}

// push puts an exchange behind the others, when there is room.
func (x *Session) push(e *exchange) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for len(x.queue) >= maxPipeline && x.Err() == nil && !x.over {
		x.cond.Wait()
	}
	x.queue = append(x.queue, e)
	e.pushed = true
	return x.Err()
}

// front returns the exchange that is to be answered next, nil if there is none.
func (x *Session) front() *exchange {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.queue) == 0 {
		return nil
	}
	return x.queue[0]
}

// pop drops the front: its answer is complete.
func (x *Session) pop(raw bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.queue = append(x.queue[:0], x.queue[1:]...)
	x.raw = x.raw || raw
	x.partial = false
	x.cond.Broadcast()
}

// quiet waits until every request is answered, and reports whether octets now
// pass unread.
func (x *Session) quiet() (raw bool, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for len(x.queue) > 0 && x.Err() == nil && !x.over {
		x.cond.Wait()
	}
	return x.raw, x.Err()
}

// begin notes that the final answer to e begins. It returns the error of a
// session that has failed meanwhile, whose last words are said.
func (x *Session) begin(e *exchange) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.Err() == nil {
		e.answered, x.partial = true, true
	}
	return x.Err()
}

// settle waits until every request before one that is refused is answered.
func (x *Session) settle() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for len(x.queue) > 0 && x.queue[0] != x.cut && x.Err() == nil && !x.over {
		x.cond.Wait()
	}
}

// taking notes whether a request is being taken.
func (x *Session) taking(busy bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.busy = busy
	x.cond.Broadcast()
}

// leave ends the client's side because no more responses come from the origin.
// A request that is still being taken may get one from a service.
func (x *Session) leave() error {
	x.mu.Lock()
	x.over = true
	x.cond.Broadcast()
	for x.busy && x.Err() == nil {
		x.cond.Wait()
	}
	err := x.Err()
	x.mu.Unlock()
	if err != nil {
		return nil
	}
	return x.Client.CloseWrite()
}

// goOn tells the client to send the body that it announced by Expect, unless
// that was done, or an answer stands instead. e may not be pushed yet.
func (x *Session) goOn(e *exchange) error {
	x.mu.Lock()
	defer x.mu.Unlock() // held while writing, so that no response comes between
	for x.Err() == nil && !x.over && len(x.queue) > 0 && (!e.pushed || x.queue[0] != e) {
		x.cond.Wait()
	}
	if x.Err() != nil || e.continued || e.answered {
		return x.Err()
	}
	e.continued = true
	_, err := x.Client.Write([]byte("HTTP/1.1 100 Continue\r\n\r\n"))
	return err
}

// interim passes on an interim response, but for a 100 that we gave.
func (x *Session) interim(e *exchange, status int, raw []byte) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.Err() != nil {
		return x.Err()
	}
	if status == 100 {
		if e.continued {
			return nil
		}
		e.continued = true
	}
	_, err := x.Client.Write(raw)
	return err
}
