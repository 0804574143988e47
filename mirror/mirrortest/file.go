package mirrortest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// EachFrame calls f with every frame of a pcap or pcapng stream. The frame is
// valid until f returns. A truncated last packet is an error.
func EachFrame(r io.Reader, f func(frame []byte)) error {
	buffered := bufio.NewReaderSize(r, 1<<20)
	magic, err := buffered.Peek(4)
	if err != nil {
		return fmt.Errorf("read magic of capture: %w", err)
	}
	var source interface {
		ZeroCopyReadPacketData() ([]byte, gopacket.CaptureInfo, error)
	}
	if string(magic) == "\n\r\r\n" { // section header block
		source, err = pcapgo.NewNgReader(buffered, pcapgo.DefaultNgReaderOptions)
	} else {
		source, err = pcapgo.NewReader(buffered)
	}
	if err != nil {
		return fmt.Errorf("read header of capture: %w", err)
	}
	for {
		frame, _, err := source.ZeroCopyReadPacketData()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read packet of capture: %w", err)
		}
		f(frame)
	}
}

// ReadFile returns all frames of a pcap or pcapng file.
func ReadFile(path string) ([][]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var frames [][]byte
	err = EachFrame(file, func(frame []byte) { frames = append(frames, append([]byte(nil), frame...)) })
	return frames, err
}

// Conversations returns the TCP conversations in a pcap or pcapng file, frames
// of other protocols left out. It fails if the file cannot be read or holds a
// malformed frame; what else is wrong stands in [Conversation.Findings].
func Conversations(path string) ([]Conversation, error) {
	return ConversationsWith(path, Options{})
}

// ConversationsWith is Conversations with options.
func ConversationsWith(path string, options Options) ([]Conversation, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	a := NewAnalyzer(options)
	if err := EachFrame(file, a.Add); err != nil {
		return nil, err
	}
	conversations, findings := a.Finish()
	if len(findings) > 0 {
		return conversations, fmt.Errorf("analyze %s: %s", path, findings[0])
	}
	return conversations, nil
}

// WritePcap writes frames to a classic pcap file in the test's own directory,
// 10 microseconds apart, and returns its path.
func WritePcap(t testing.TB, frames [][]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "frames.pcap")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	buffered := bufio.NewWriterSize(file, 1<<20)
	w := pcapgo.NewWriter(buffered)
	if err := w.WriteFileHeader(1<<18, layers.LinkTypeEthernet); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, frame := range frames {
		info := gopacket.CaptureInfo{Timestamp: at, CaptureLength: len(frame), Length: len(frame)}
		if err := w.WritePacket(info, frame); err != nil {
			t.Fatal(err)
		}
		at = at.Add(10 * time.Microsecond)
	}
	if err := buffered.Flush(); err != nil {
		t.Fatal(err)
	}
	return path
}
