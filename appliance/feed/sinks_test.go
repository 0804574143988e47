package feed

import (
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/clearspan/clearspan/appliance/config"
)

// TestBuffer: the sinks take every buffer that the configuration takes, and its bounds
// are theirs.
func TestBuffer(t *testing.T) {
	open := func(kind config.Kind, buffer int) error {
		m := config.DefaultMirror("recorder", kind)
		m.Files.Directory, m.Live.Addr = filepath.Join(t.TempDir(), "pcap"), "127.0.0.1:0"
		m.Files.Buffer, m.Live.Buffer = buffer, buffer
		k, err := openSink(m, slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		return k.close()
	}
	for kind, least := range map[config.Kind]int{config.PCAPNG: 8 << 20, config.PCAPOverIP: 256 << 10} {
		for _, buffer := range []int{least, 1 << 30} {
			if err := open(kind, buffer); err != nil {
				t.Errorf("%s, %d octets: %v", kind, buffer, err)
			}
		}
		for _, buffer := range []int{least - 1, 1<<30 + 1} {
			if open(kind, buffer) == nil {
				t.Errorf("%s takes %d octets", kind, buffer)
			}
		}
	}
}
