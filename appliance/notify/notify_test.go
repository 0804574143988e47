package notify

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// manager listens as a service manager does, and has the environment name it.
func manager(t *testing.T, path string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv(variableSocket, path)
	return conn
}

func receive(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	b := make([]byte, 4096)
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	n, err := conn.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func TestMessages(t *testing.T) {
	for _, row := range []struct{ name, path string }{
		{"path", filepath.Join(t.TempDir(), "notify")},
		{"abstract", fmt.Sprintf("@clearspan-notify-%d", os.Getpid())},
	} {
		t.Run(row.name, func(t *testing.T) {
			conn := manager(t, row.path)
			t.Setenv(variableWatchdog, "9000000")
			t.Setenv(variablePID, fmt.Sprint(os.Getpid()))
			m, err := Open()
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			if v, ok := os.LookupEnv(variableSocket); ok {
				t.Errorf("a child would speak to %s", v)
			}
			if m.Every() != 3*time.Second {
				t.Errorf("a sign of life every %v", m.Every())
			}
			if got, want := strings.Join(m.Environ(), " "), fmt.Sprintf("NOTIFY_SOCKET=%s WATCHDOG_USEC=9000000 WATCHDOG_PID=%d", row.path, os.Getpid()); got != want {
				t.Errorf("handed on: %s, want %s", got, want)
			}
			for _, message := range []struct {
				err  error
				want string
			}{
				{m.Ready("1 session\nREADY=0"), "READY=1\nSTATUS=1 session READY=0"},
				{m.Status(strings.Repeat("é", 150)), "STATUS=" + strings.Repeat("é", 100) + "..."},
				{m.Stopping(90*time.Second, "draining"), "STOPPING=1\nEXTEND_TIMEOUT_USEC=90000000\nSTATUS=draining"},
				{m.MainPID(7), "MAINPID=7"},
				{m.Alive(), "WATCHDOG=1"},
			} {
				if message.err != nil {
					t.Fatal(message.err)
				}
				if got := receive(t, conn); got != message.want {
					t.Errorf("said %q, want %q", got, message.want)
				}
			}
		})
	}
}

func TestReloading(t *testing.T) {
	conn := manager(t, filepath.Join(t.TempDir(), "notify"))
	m, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	now := func() int64 {
		var now unix.Timespec
		unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
		return now.Nano() / 1000
	}
	before := now()
	if err := m.Reloading("reads its configuration"); err != nil {
		t.Fatal(err)
	}
	after := now()
	var usec int64
	if _, err := fmt.Sscanf(receive(t, conn), "RELOADING=1\nMONOTONIC_USEC=%d\nSTATUS=reads its configuration", &usec); err != nil || usec < before || after < usec {
		t.Errorf("the reload began at %d, not from %d to %d (%v)", usec, before, after, err)
	}
}

// TestManagerBeginsAgain: the manager's next socket is found.
func TestManagerBeginsAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	first := manager(t, path)
	m, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	first.Close()
	os.Remove(path)
	if m.Alive() == nil {
		t.Error("nobody was told, and no error")
	}
	second := manager(t, path)
	if err := m.Alive(); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, second); got != "WATCHDOG=1" {
		t.Errorf("said %q", got)
	}
}

func TestNoManager(t *testing.T) {
	t.Setenv(variableSocket, "")
	m, err := Open()
	if m != nil || err != nil {
		t.Fatalf("opened %v, %v", m, err)
	}
	if err := m.Ready(""); err != nil || m.Every() != 0 || m.Environ() != nil || m.Close() != nil {
		t.Error("a manager that is none does something")
	}
	t.Setenv(variableSocket, filepath.Join(t.TempDir(), "none"))
	if _, err := Open(); err == nil {
		t.Error("a socket that is not there is no error")
	}
}

// TestBusyManager: a manager that takes nothing holds nobody up for long.
func TestBusyManager(t *testing.T) {
	manager(t, filepath.Join(t.TempDir(), "notify"))
	m, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for range 100_000 {
		if err = m.Alive(); err != nil {
			return
		}
	}
	t.Error("the manager's queue has no end")
}

func TestInterval(t *testing.T) {
	mine := fmt.Sprint(os.Getpid())
	for _, row := range []struct {
		name, usec, pid string
		want            time.Duration
	}{
		{"mine", "10000000", mine, 10 * time.Second},
		{"anybody's", "10000000", "", 10 * time.Second},
		{"another's", "10000000", "1", 0},
		{"none", "", "", 0},
		{"no number", "x", mine, 0},
		{"negative", "-5", mine, 0},
		{"endless", "18446744073709551615", mine, 0},
	} {
		if got := interval(row.usec, row.pid); got != row.want {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}
