package recorder_test

import (
	"bufio"
	"bytes"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/clearspan/clearspan/appliance/recorder"
	"github.com/clearspan/clearspan/appliance/recorder/rowstest"
	"github.com/clearspan/clearspan/appliance/recorder/source"
	"github.com/clearspan/clearspan/appliance/recorder/volume"
	"github.com/clearspan/clearspan/hack/tempo"
)

// killDir names the directory of a recorder that TestKilled kills.
const killDir = "CLEARSPAN_TEST_KILL"

// TestKilled kills a recorder that captures as soon as frames are on the disk, again and again.
// They are there once and in order, and all that was sent in them is found once.
func TestKilled(t *testing.T) {
	if dir := os.Getenv(killDir); dir != "" {
		victim(t, dir)
		return
	}
	t.Parallel()
	rows := some(rowstest.Rows(), 1, 6)
	frames := oneBehindTheOther(rows)
	name := captured(t, frames)
	plain := filepath.Join(t.TempDir(), "plain")
	if _, err := recorder.Import(t.Context(), []string{name}, recorder.ImportOptions{Directory: plain}); err != nil {
		t.Fatal(err)
	}
	want := kept(t, plain)
	p := cable(t)
	dir := filepath.Join(t.TempDir(), "rec")
	const rounds = 3
	for round := range rounds {
		kill := start(t, p, dir)
		from, to := round*len(frames)/rounds, (round+1)*len(frames)/rounds
		p.send(t, frames[from:to])
		tempo.Until(t, "the frames are on the disk", func() bool { return len(stored(t, dir)) >= to })
		kill()
	}
	kill := start(t, p, dir)
	defer kill()
	tempo.Until(t, "all is found", func() bool { return len(kept(t, dir)) >= len(want) })
	kill()
	if got := kept(t, dir); !slices.Equal(got, want) {
		t.Errorf("%d facts, want %d, or others", len(got), len(want))
	}
	got := stored(t, dir)
	for i := range max(len(got), len(frames)) {
		if i >= len(got) || i >= len(frames) || !bytes.Equal(got[i], frames[i].Octets) {
			t.Fatalf("frame %d of %d stored and %d sent is another one", i, len(got), len(frames))
		}
	}
	list, err := volume.List(filepath.Join(dir, "packets"))
	if err != nil || len(list) < rounds {
		t.Fatalf("%d volumes, %v", len(list), err)
	}
	for _, s := range list {
		if err := volume.CheckIndex(filepath.Join(dir, "packets"), &s); err != nil {
			t.Errorf("volume %d: %v", s.Number, err)
		}
	}
}

// start starts a recorder in a process of its own, and returns what kills it.
func start(t *testing.T, p port, dir string) (kill func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilled$")
	cmd.Env, cmd.Stderr = append(os.Environ(), killDir+"="+dir), os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.far.Do(cmd.Start); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		cmd.Process.Kill()
		cmd.Wait()
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		kill()
		t.Fatal("the recorder does not start")
	}
	return kill
}

// victim records until it is killed.
func victim(t *testing.T, dir string) {
	r, err := recorder.New(recorder.Config{Directory: dir, Interfaces: []source.Port{{Name: "far0", Ring: 8 << 20}}, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	os.Stdout.WriteString("ready\n")
	t.Fatal(r.Run(t.Context()))
}

// stored returns the frames in the volumes of a recorder.
func stored(t *testing.T, dir string) (frames [][]byte) {
	t.Helper()
	r := volume.NewReader(filepath.Join(dir, "packets"), nil, 0)
	defer r.Close()
	for {
		f, _, err := r.Next(t.Context(), 0)
		if err != nil {
			return frames
		}
		frames = append(frames, bytes.Clone(f.Octets))
	}
}
