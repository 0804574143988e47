package role

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"testing"
	"time"
)

// TestDescriptors: messages keep their octets and their descriptors, however many.
func TestDescriptors(t *testing.T) {
	keeper, other, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer keeper.Close()
	socket, err := fileConn(other)
	if err != nil {
		t.Fatal(err)
	}
	role := NewConn(socket, false)
	defer role.Close()

	text, err := MemFile("text", []byte("some text"))
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	if _, err := text.Write([]byte("x")); err == nil {
		t.Error("a file in memory can be changed")
	}
	const many = 2*filesAtOnce + 7
	files := make([]*os.File, many)
	for i := range files {
		files[i] = text
	}
	sent := make(chan error, 1)
	go func() {
		err := keeper.Send(&Message{Kind: KindDrain, Drain: &Drain{}})
		sent <- errors.Join(err,
			keeper.Send(&Message{Kind: KindReload, Files: []Descriptors{{"a", 1}, {"b", many - 1}}}, files...),
			keeper.Send(&Message{Kind: KindEnd}))
	}()
	for _, want := range []struct {
		kind  Kind
		files int
	}{{KindDrain, 0}, {KindReload, many}, {KindEnd, 0}} {
		m, got, err := role.Receive()
		if err != nil {
			t.Fatal(err)
		}
		if m.Kind != want.kind || len(got) != want.files {
			t.Errorf("%s with %d descriptors, want %s with %d", m.Kind, len(got), want.kind, want.files)
		}
		if len(got) > 0 {
			h := newHolder(m.Files, got)
			one := h.Take("a")
			if text, err := ReadMemFile(one[0]); err != nil || string(text) != "some text" {
				t.Errorf("%q, %v", text, err)
			}
			one[0].Close()
			if h.Take("a") != nil || len(h.files["b"]) != many-1 {
				t.Error("descriptors by name")
			}
			h.Close()
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	keeper.Close()
	if _, _, err := role.Receive(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

// TestPause: a pause comes between two messages.
func TestPause(t *testing.T) {
	for range 20 { // until the pause comes when a message is half read
		if pauseWithin(t) {
			return
		}
	}
	t.Error("the pause never came within a message")
}

// pauseWithin reports whether the pause came when a message was half read.
func pauseWithin(t *testing.T) bool {
	keeper, other, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer keeper.Close()
	socket, err := fileConn(other)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	var message bytes.Buffer
	body := []byte(`{"kind":"beat"}`)
	binary.Write(&message, binary.BigEndian, uint32(len(body)))
	message.Write(body)
	if _, err := socket.Write(message.Bytes()[:6]); err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 2)
	go func() {
		_, _, err := keeper.Receive()
		got <- err
		_, _, err = keeper.Receive()
		got <- err
	}()
	time.Sleep(20 * time.Millisecond) // it may be inside of the message, or before
	keeper.Pause()
	select {
	case err := <-got:
		if !errors.Is(err, ErrPaused) {
			t.Fatal(err)
		}
		return false
	case <-time.After(20 * time.Millisecond):
	}
	if _, err := socket.Write(message.Bytes()[6:]); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Errorf("the message: %v", err)
	}
	if err := <-got; !errors.Is(err, ErrPaused) {
		t.Errorf("behind it: %v", err)
	}
	return true
}

// TestGone: without its keeper a process drains, and its questions end.
func TestGone(t *testing.T) {
	keeper, other, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	socket, err := fileConn(other)
	if err != nil {
		t.Fatal(err)
	}
	text, err := MemFile(FileConfiguration, []byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	if err := keeper.Send(&Message{Kind: KindStart, Start: &Start{Contract: Contract}, Files: []Descriptors{{FileConfiguration, 1}}}, text); err != nil {
		t.Fatal(err)
	}
	p, _, err := begin(NewConn(socket, false))
	if err != nil || string(p.Configuration) != "text" {
		t.Fatalf("%v", err)
	}
	asked := make(chan error, 1)
	go func() {
		_, err := p.Ask(context.Background(), AskStatus)
		asked <- err
	}()
	if m, _, err := keeper.Receive(); err != nil || m.Kind != KindAsk {
		t.Fatalf("%v, %v", m, err)
	}
	keeper.Close()
	if o := <-p.Orders(); o.Drain == nil {
		t.Error("no drain")
	}
	if err := <-asked; !errors.Is(err, ErrGone) {
		t.Errorf("question: %v", err)
	}
	if _, err := p.Ask(context.Background(), AskStatus); !errors.Is(err, ErrGone) {
		t.Errorf("later question: %v", err)
	}
}

// FuzzReceive: no octets of either side do harm. What is understood is of the contract.
func FuzzReceive(f *testing.F) {
	for _, body := range []string{
		`{"kind":"ready","version":"v1"}`, `{"kind":"state","state":{"sessions":-1}}`, `{"kind":"ask","ask":{"id":1,"what":"reload"}}`,
		`{"kind":"start","start":{"contract":1},"files":[{"name":"a","count":1}]}`, `{"kind":"end"}`, `{"kind":"drain","drain":{"for":-1}}`, `[`, ``,
	} {
		f.Add(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...), true)
	}
	f.Add([]byte{0xff, 0xff, 0xff, 0xff}, false)
	f.Fuzz(func(t *testing.T, stream []byte, fromRole bool) {
		in := bytes.NewReader(stream)
		r := receiver{
			read: func(p []byte) (int, []*os.File, error) {
				n, err := in.Read(p[:min(len(p), 7)])
				return n, nil, err
			},
			resume: func() {},
		}
		for {
			m, files, err := r.next()
			if err != nil {
				return
			}
			if len(files) > 0 {
				t.Fatal("descriptors from nowhere")
			}
			if m.check(fromRole) != nil {
				continue
			}
			if other := m.check(!fromRole); other == nil && m.Kind != KindEnd {
				t.Fatalf("both sides may send %q", m.Kind)
			}
		}
	})
}
