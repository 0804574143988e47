package config

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestQuick(t *testing.T) {
	getenv := func(string) string { return "" }
	state := t.TempDir()
	t.Run("nothing set is the default", func(t *testing.T) {
		c, err := Quick{}.Config(0, getenv)
		if err != nil || len(c.Intakes) != 1 || c.Intakes[0].Listen() != "127.0.0.1:8080" || len(c.Mirrors) != 2 {
			t.Errorf("got %+v, %v", c, err)
		}
	})
	t.Run("state moves what lies in it", func(t *testing.T) {
		c, err := Quick{State: state}.Config(0, getenv)
		if err != nil || c.Mirrors[0].Files.Directory != filepath.Join(state, "pcap") || c.AuthorityDir() != filepath.Join(state, "authority") {
			t.Errorf("got %+v, %v", c, err)
		}
	})
	t.Run("flags replace", func(t *testing.T) {
		q := Quick{Static: []string{"127.0.0.1:10443,192.0.2.10:443", ":10444,origin.test:443"}, PCAP: state, PCAPOverIP: "127.0.0.1:57013"}
		c, err := q.Config(0, getenv)
		if err != nil || len(c.Intakes) != 2 || c.Intakes[1].Static.Origin != "origin.test:443" || len(c.Mirrors) != 2 {
			t.Errorf("got %+v, %v", c, err)
		}
	})
	for flag, q := range map[string]Quick{
		"--static":       {Static: []string{"127.0.0.1:10443"}},
		"--listen":       {Listen: "nowhere"},
		"--interface":    {Interface: "far too long a name for it"},
		"--pcap-over-ip": {PCAPOverIP: "x"},
	} {
		if _, err := q.Config(0, getenv); err == nil || !strings.HasPrefix(err.Error(), flag) {
			t.Errorf("%s: error %v", flag, err)
		}
	}
}
