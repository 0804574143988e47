package health

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestDiskIsJudged(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		name string
		room room
		want State
	}{
		{"room", room{free: 50, size: 100, files: 1, at: now}, OK},
		{"little room", room{free: 4, size: 100, files: 1, at: now}, Degraded},
		{"no room", room{free: 0, size: 100, files: 1, at: now}, Down},
		{"few files", room{free: 50, size: 100, files: .02, at: now}, Degraded},
		{"no files", room{free: 50, size: 100, files: 0, at: now}, Down},
		{"no size", room{files: 1, at: now}, OK},
		{"error", room{err: errors.New("stale file handle"), at: now}, Down},
		{"silence", room{free: 50, size: 100, files: 1, at: now.Add(-time.Minute)}, Down},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if r := tt.room.judge(now); r.State != tt.want || (r.Why == "") != (tt.want == OK) {
				t.Errorf("%+v, want %v", r, tt.want)
			}
		})
	}
}

func TestDiskIsWatched(t *testing.T) {
	d, err := OpenFileSystem(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if d.Free() == 0 {
		t.Error("a disk without room")
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	cancel()
	<-done
	if _, err := OpenFileSystem("/nowhere"); err == nil {
		t.Error("a directory that is not there")
	}
}
