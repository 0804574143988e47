package main

import (
	"crypto/tls"
	"net"
	"net/netip"
	"os"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// writeCapture writes a capture of one conversation: a request by HTTP, or the
// ClientHello for a server name; whole, or its first frames only.
func writeCapture(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 2, true, "capture FILE http|SERVERNAME [FRAMES]")
	said := []byte("GET / HTTP/1.1\r\nHost: www.example.test\r\n\r\n")
	if args[1] != "http" {
		said = hello(ts, args[1])
	}
	recorder := &mirrortest.Recorder{}
	conversation := mirror.Open(recorder, mirror.Flow{
		Client: netip.MustParseAddrPort("10.0.0.5:50000"), Origin: netip.MustParseAddrPort("192.0.2.1:443")}, mirror.Options{})
	conversation.Data(mirror.ClientToOrigin, said)
	conversation.Close()
	frames := recorder.Frames()
	if len(args) > 2 {
		n, err := strconv.Atoi(args[2])
		ts.Check(err)
		frames = frames[:n]
	}
	t, ok := ts.Value(testKey{}).(testing.TB)
	if !ok {
		ts.Fatalf("capture needs a test")
	}
	data, err := os.ReadFile(mirrortest.WritePcap(t, frames))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o644))
}

// hello returns the first flight of a TLS client.
func hello(ts *testscript.TestScript, name string) []byte {
	near, far := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		tls.Client(near, &tls.Config{ServerName: name}).Handshake()
		near.Close()
	}()
	b := make([]byte, 1<<14)
	n, err := far.Read(b)
	far.Close()
	<-done
	ts.Check(err)
	return b[:n]
}
