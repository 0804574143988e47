package admission

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

const mib = 1 << 20

// controller returns a Controller with one limit and what is in use of it.
func controller(limit uint64, used *uint64) *Controller {
	return &Controller{start: time.Now(), gauges: []*gauge{{name: "test", limit: limit, used: func() (uint64, error) {
		if *used == 0 {
			return 0, errors.New("not readable")
		}
		return *used, nil
	}}}}
}

func TestLevelFollowsUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var used uint64
		c := controller(1000*mib, &used)
		for _, tt := range []struct {
			used uint64
			want Level
		}{{1, Ample}, {740, Ample}, {751, Short}, {849, Short}, {851, None}, {2000, None}, {100, Ample}} {
			used = tt.used * mib
			time.Sleep(recentFor)
			if level, short := c.Level(); level != tt.want || short != "memory" {
				t.Errorf("%d MiB used: level %d of %s, want %d", tt.used, level, short, tt.want)
			}
		}
		used = 800 * mib
		time.Sleep(recentFor)
		c.Level()
		used = 0 // cannot be read: what was seen holds
		time.Sleep(recentFor)
		if level, _ := c.Level(); level != Short || c.Used() != 800*mib {
			t.Errorf("level %d, %d used", level, c.Used())
		}
	})
}

// TestRecentSessionsCount: sessions are shed before those that just began have
// taken what they will take.
func TestRecentSessionsCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		used := uint64(10 * mib)
		c := controller(100*mib, &used)
		n := 0
		for ; n < 100_000; n++ {
			if level, _ := c.Level(); level != Ample {
				break
			}
			c.Admit()
		}
		if want := 65 * mib / handshakeMemory; n != want {
			t.Errorf("%d sessions at once, want %d", n, want)
		}
		time.Sleep(recentFor / 2)
		if level, _ := c.Level(); level == Ample {
			t.Error("they do not count any more after half the time")
		}
		time.Sleep(recentFor/2 + recentFor/slots)
		if level, _ := c.Level(); level != Ample {
			t.Error("they count for ever")
		}
	})
}

func TestFloor(t *testing.T) {
	for limit, want := range map[uint64]uint64{64 * mib: 0, 511 * mib: 0, 512 * mib: 64 * mib, 1024 * mib: 128 * mib, 1 << 40: 128 * mib} {
		if got := controller(limit, new(uint64)).Floor(); got != want {
			t.Errorf("limit %d MiB: floor %d MiB, want %d", limit/mib, got/mib, want/mib)
		}
	}
}

// TestOpenSessionsMayGrow: room is kept for what open sessions may take yet.
func TestOpenSessionsMayGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		used := uint64(10 * mib)
		c := controller(100*mib, &used)
		open := 0
		c.open = func() int { return open }
		for ; open < 100_000; open++ {
			if level, _ := c.Level(); level != Ample {
				break
			}
		}
		if want := (65*mib + sessionGrowth - 1) / sessionGrowth; open != want {
			t.Errorf("%d sessions open, want %d", open, want)
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	c, err := New(Config{Options: Options{Memory: 1 << 40}})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				c.Admit()
				c.Level()
			}
		})
	}
	all.Wait()
	if limit, whose := c.Limit(); limit == 0 || whose == "" || c.Used() == 0 || c.Buffers() >= c.Goal() || c.Goal() >= limit {
		t.Errorf("limit %d of %s, goal %d, buffers %d, used %d", limit, whose, c.Goal(), c.Buffers(), c.Used())
	}
}

func TestHierarchies(t *testing.T) {
	for _, tt := range []struct {
		h     hierarchy
		files map[string]string
		limit uint64
		used  uint64
	}{
		{hierarchies[0], map[string]string{"memory.max": "268435456\n", "memory.current": "5000\n", "memory.stat": "anon 1\ninactive_file 1000\nactive_file 500\n"}, 268435456, 3500},
		{hierarchies[0], map[string]string{"memory.max": "max\n", "memory.current": "5000\n", "memory.stat": ""}, 0, 0},
		{hierarchies[1], map[string]string{"memory.limit_in_bytes": "268435456\n", "memory.usage_in_bytes": "5000\n", "memory.stat": "cache 1\ntotal_inactive_file 1\ntotal_active_file 9999\n"}, 268435456, 0},
		{hierarchies[1], map[string]string{"memory.limit_in_bytes": "9223372036854771712\n"}, 0, 0},
		{hierarchies[1], nil, 0, 0},
	} {
		dir := t.TempDir()
		for name, text := range tt.files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		g := tt.h.gauge(dir)
		if tt.limit == 0 {
			if g != nil {
				t.Errorf("%v: limit %d, want none", tt.files, g.limit)
			}
			continue
		}
		if g == nil || g.limit != tt.limit {
			t.Errorf("%v: %+v, want limit %d", tt.files, g, tt.limit)
			continue
		}
		if used, err := g.used(); used != tt.used || err != nil {
			t.Errorf("%v: %d used, %v, want %d", tt.files, used, err, tt.used)
		}
	}
}

// TestDescriptors runs itself with few descriptors, and takes them.
func TestDescriptors(t *testing.T) {
	if os.Getenv("ADMISSION_DESCRIPTORS") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestDescriptors$", "-test.v")
		cmd.Env = append(os.Environ(), "ADMISSION_DESCRIPTORS=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 256, Max: 256}); err != nil {
		t.Fatal(err)
	}
	c, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	var open []int
	seen := make(map[Level]int)
	for len(open) < 300 {
		level, short := c.Level()
		if level != Ample && short != "descriptors" {
			t.Fatalf("short of %s", short)
		}
		seen[level]++
		fd, err := unix.Dup(0)
		if err != nil {
			break
		}
		open = append(open, fd)
	}
	if seen[Ample] < 200 || seen[Short] < 10 || seen[None] < 10 {
		t.Errorf("levels seen: %v", seen)
	}
	if level, _ := c.Level(); level != None {
		t.Errorf("level %d without any descriptor", level)
	}
	for _, fd := range open {
		unix.Close(fd)
	}
	if level, _ := c.Level(); level != Ample {
		t.Errorf("level %d with all closed again", level)
	}
	for range 60 {
		c.Admit()
	}
	if level, _ := c.Level(); level == Ample {
		t.Error("room for more though 60 sessions have just begun")
	}
}
