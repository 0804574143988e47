package handshake

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// Errors of a renegotiation that the origin began.
var (
	errUnbound  = errors.New("origin renegotiates without the indication of RFC 5746")
	errTooOften = errors.New("origin renegotiates again and again")
	errSlow     = errors.New("renegotiation took too long")
)

const (
	recordChangeCipherSpec = 20
	recordHandshake        = 22
	recordHeader           = 5

	renegotiationsAtOnce = 10 // then one a second
)

// patient is a connection whose reads answer at once where a relay uses it, and can be
// told to wait.
type patient interface {
	net.Conn
	// Patient has reads wait, or no longer. It is for the goroutine that reads.
	Patient(wait bool)
	// Flush sends what was written.
	Flush() error
}

// Renegotiation is what lies beneath the TLS connection with an origin. It lets the
// origin begin another handshake within a session of TLS 1.2 (RFC 5246, Section 7.4.1.1):
// meanwhile reads wait, as crypto/tls cannot leave a handshake and come back. crypto/tls
// sees to it that the origin's certificate stays the one that was judged.
//
// One goroutine reads, and asks for what became of it; others may write.
type Renegotiation struct {
	patient
	timeout time.Duration
	refuse  bool // an origin that asks for our certificate

	established bool   // the first handshake is over
	bound       bool   // the origin indicates secure renegotiation
	greeting    []byte // its first octets, until bound is known
	decided     bool   // bound is known

	phase    phase
	deadline time.Time
	records  records
	done     int       // renegotiations
	first    time.Time // when the first began
	asked    bool      // in one of them the origin asked for our certificate
}

// phase is how far a renegotiation has come.
type phase uint8

const (
	atRest   phase = iota
	greeted        // the ClientHello was sent
	answered       // our last flight was sent; the origin's follows
)

// Done returns how many renegotiations were completed.
func (r *Renegotiation) Done() int {
	if r == nil {
		return 0
	}
	return r.done
}

// Failed reports whether a renegotiation was begun and is not over.
func (r *Renegotiation) Failed() bool { return r != nil && r.phase != atRest }

// AsksForCertificate reports whether the origin has asked for our certificate in the
// latest renegotiation.
func (r *Renegotiation) AsksForCertificate() bool { return r != nil && r.asked }

// Write implements net.Conn. The first handshake message that crypto/tls writes after
// its handshake is the hello of a renegotiation. It writes our last flight at once.
func (r *Renegotiation) Write(p []byte) (int, error) {
	if r.established && len(p) > 0 && p[0] == recordHandshake {
		switch r.phase {
		case atRest:
			if err := r.begin(time.Now()); err != nil {
				return 0, err
			}
		case greeted:
			r.phase, r.records = answered, records{}
		}
	}
	return r.patient.Write(p)
}

// begin has reads wait for a renegotiation.
func (r *Renegotiation) begin(now time.Time) error {
	r.phase, r.asked, r.deadline = greeted, false, now.Add(r.timeout)
	if r.done == 0 {
		r.first = now
	}
	switch {
	case !r.bound:
		return errUnbound
	case r.done >= renegotiationsAtOnce && now.Sub(r.first) < time.Duration(r.done)*time.Second:
		return errTooOften
	}
	r.patient.Patient(true)
	return nil
}

// Read implements net.Conn.
func (r *Renegotiation) Read(p []byte) (int, error) {
	if !r.established {
		n, err := r.patient.Read(p)
		r.greet(p[:n])
		return n, err
	}
	if r.phase == atRest {
		return r.patient.Read(p)
	}
	if err := r.patient.Flush(); err != nil {
		return 0, err
	}
	n, err := r.wait(p)
	if r.phase == answered && r.records.finish(p[:n]) {
		r.phase = atRest
		r.done++
		r.patient.Patient(false)
	}
	return n, err
}

// wait reads, in time. Deadlines of others, which end a wait of the relay's, do not count.
func (r *Renegotiation) wait(p []byte) (int, error) {
	for {
		r.patient.SetReadDeadline(r.deadline)
		n, err := r.patient.Read(p)
		switch {
		case n > 0 || !errors.Is(err, os.ErrDeadlineExceeded):
			return n, err
		case !time.Now().Before(r.deadline):
			return 0, fmt.Errorf("%w: %v", errSlow, r.timeout) // no time-out, after which one could go on
		}
	}
}

// certificate answers an origin that asks for our certificate later.
func (r *Renegotiation) certificate() (*tls.Certificate, error) {
	r.asked = true
	if r.refuse {
		return nil, ErrCertificateRequested
	}
	return new(tls.Certificate), nil
}

// greet reads the origin's first octets for the indication of secure renegotiation.
func (r *Renegotiation) greet(p []byte) {
	if r.decided {
		return
	}
	r.greeting = append(r.greeting, p...)
	bound, more := indicatesRenegotiation(r.greeting)
	if !more || len(r.greeting) > 4<<10 {
		r.bound, r.decided, r.greeting = bound && !more, true, nil
	}
}

// records looks for the end of a handshake in what the origin sends: a handshake record
// behind a change of cipher spec.
type records struct {
	header  [recordHeader]byte
	have    int  // octets of the header
	left    int  // octets of the record's body that are to come
	changed bool // the cipher spec was changed
}

// finish takes octets and reports whether the record is complete among them that ends
// the handshake.
func (r *records) finish(p []byte) bool {
	for len(p) > 0 {
		if r.have < recordHeader {
			n := copy(r.header[r.have:], p)
			r.have, p = r.have+n, p[n:]
			if r.have == recordHeader {
				r.left = int(r.header[3])<<8 | int(r.header[4])
			}
			continue
		}
		n := min(r.left, len(p))
		r.left, p = r.left-n, p[n:]
		if r.left > 0 {
			continue
		}
		r.have = 0
		switch {
		case r.header[0] == recordChangeCipherSpec:
			r.changed = true
		case r.header[0] == recordHandshake && r.changed:
			return true
		}
	}
	return false
}
