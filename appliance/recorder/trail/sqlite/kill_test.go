package sqlite

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/appliance/recorder/trail/trailtest"
	"github.com/clearspan/clearspan/hack/tempo"
)

// killDir names the directory in which a child of TestKill writes.
const killDir = "CLEARSPAN_TEST_KILL"

// killBatch is the events of a batch. One of 18 batches goes over midnight.
const killBatch = 80

// TestKill kills a writer at any moment, again and again. What was written is there, whole,
// and once; the cursor stands behind it.
func TestKill(t *testing.T) {
	if dir := os.Getenv(killDir); dir != "" {
		killed(t, dir)
		return
	}
	t.Parallel()
	dir := t.TempDir()
	for round := range tempo.Of(2, 6) {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKill$")
		cmd.Env = append(os.Environ(), killDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		acknowledged := 0
		lines := bufio.NewScanner(out)
		for more := 1 + rand.IntN(tempo.Of(4, 20)); more > 0 && lines.Scan(); more-- {
			acknowledged, _ = strconv.Atoi(lines.Text())
		}
		time.Sleep(rand.N(10 * time.Millisecond)) // into the middle of a batch
		cmd.Process.Kill()
		for lines.Scan() {
			acknowledged, _ = strconv.Atoi(lines.Text())
		}
		cmd.Wait()
		if acknowledged == 0 {
			t.Fatalf("round %d: nothing was written", round)
		}
		whole(t, dir, acknowledged)
	}
}

// killed writes batches behind the cursor, and says up to which event each time.
func killed(t *testing.T, dir string) {
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for n := reached(t, s); ; n += killBatch {
		if err := s.Write(t.Context(), trailtest.Events(n, killBatch)); err != nil {
			t.Fatal(err)
		}
		fmt.Println(n + killBatch)
	}
}

// reached returns the number of events that the cursor is behind.
func reached(t *testing.T, s *Store) int {
	c, err := s.Cursor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n, _ := strconv.Atoi(string(c))
	return n
}

// whole compares a trail with what was acknowledged. Another batch may be there, or a part of
// it in front of the cursor.
func whole(t *testing.T, dir string, acknowledged int) {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	cursor := reached(t, s)
	if cursor < acknowledged {
		t.Errorf("the cursor is behind %d events, %d were acknowledged", cursor, acknowledged)
	}
	seen := make(map[trail.ID]bool)
	var before trail.ID
	for {
		n := 0
		err := s.Events(t.Context(), trail.Question{Before: before, Limit: trail.MaxPage}, func(x *trail.Full) bool {
			if seen[x.ID] || len(x.Sightings) != 1 {
				t.Errorf("event %s is there again, or with %d sightings", x.ID, len(x.Sightings))
			}
			seen[x.ID] = true
			before = x.ID
			n++
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		if n < trail.MaxPage {
			break
		}
	}
	for _, e := range trailtest.Events(0, cursor).Events {
		if !seen[e.ID] {
			t.Fatalf("event %s is missing, in front of the cursor at %d", e.ID, cursor)
		}
	}
	if more := len(seen) - cursor; more > killBatch {
		t.Errorf("%d events behind the cursor", more)
	}
}
