package machine

import (
	"os"
	"strings"
	"testing"
)

func TestBoot(t *testing.T) {
	t.Parallel()
	m := ForTest(t)
	if got := m.Run(t, "cat /proc/1/comm; systemctl show -p Version --value; ls /sys/class/net"); !strings.HasPrefix(got, "systemd\n") || !strings.Contains(got, "\nlo\n") {
		t.Errorf("%s", got)
	}
	m.Write(t, "/etc/systemd/system/hello.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo hello >/hello'\n", 0o644)
	m.Run(t, "systemctl daemon-reload && systemctl start hello")
	if text, err := os.ReadFile(m.Path("/hello")); err != nil || string(text) != "hello\n" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := os.Stat("/hello"); err == nil {
		t.Error("this machine has the file, too")
	}
}
