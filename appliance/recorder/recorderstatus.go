package recorder

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/analyst"
)

// Status is what a recorder does, as status.json in its directory has it.
type Status struct {
	Time      time.Time      `json:"time"`
	Started   time.Time      `json:"started"`
	PID       int            `json:"pid"`    // 0: it has ended
	Frames    uint64         `json:"frames"` // that the sources handed over
	Stored    uint64         `json:"stored"`
	Refused   uint64         `json:"refused"` // by the file system
	Dropped   uint64         `json:"dropped"` // by the kernel
	Analysed  uint64         `json:"analysed"`
	Lag       float64        `json:"lag_seconds"` // of the analysis behind the newest packet
	Sessions  uint64         `json:"sessions"`
	Events    uint64         `json:"events"`
	Objects   uint64         `json:"objects"`
	Findings  uint64         `json:"findings"`
	Volumes   int            `json:"volumes"`
	Unread    int            `json:"unread_volumes"` // that are encrypted, and were not analysed
	Packets   int64          `json:"packets_octets"`
	Sources   []SourceStatus `json:"sources"`
	Kept      []KeptStatus   `json:"kept"`
	Disk      DiskStatus     `json:"disk"`
	Waiting   int            `json:"trail_waiting"`             // batches that the server of the trail has not got yet
	Stamped   *time.Time     `json:"timestamped,omitempty"`     // when the authority answered last
	StampErr  string         `json:"timestamp_error,omitempty"` // why the last signature has no time stamp
	LastError string         `json:"last_error,omitempty"`
}

// SourceStatus is of one source.
type SourceStatus struct {
	Name    string `json:"name"`
	Frames  uint64 `json:"frames"`
	Dropped uint64 `json:"dropped"`
	// Filtered were kept away by the filter of an interface.
	Filtered uint64 `json:"filtered,omitempty"`
}

// report writes the status file.
func (r *Recorder) report(frames []atomic.Uint64, pid int) {
	c := r.volumes.Counts()
	r.mu.Lock()
	s := &r.status
	s.Time, s.Started, s.PID = time.Now().UTC(), r.started.UTC(), pid
	s.Stored, s.Refused, s.Frames, s.Dropped, s.Sources = c.Stored, c.Dropped, 0, 0, nil
	s.Stamped, s.StampErr = r.stamps.state()
	s.Waiting, s.LastError = waiting(r.archive.Trail)
	for i, source := range r.sources {
		one := SourceStatus{Name: source.Name(), Frames: frames[i].Load(), Dropped: source.Dropped(), Filtered: source.Filtered()}
		s.Frames += one.Frames
		s.Dropped += one.Dropped
		s.Sources = append(s.Sources, one)
	}
	text, err := json.MarshalIndent(s, "", "  ")
	r.mu.Unlock()
	name := filepath.Join(r.cfg.Directory, statusName)
	if err == nil {
		err = os.WriteFile(name+".tmp", append(text, '\n'), 0o600)
	}
	if err == nil {
		err = os.Rename(name+".tmp", name)
	}
	if err != nil {
		r.cfg.Log.Debug("status cannot be written", "err", err)
	}
}

// ReadStatus reads the status of the recorder of a directory.
func ReadStatus(dir string) (s Status, err error) {
	text, err := os.ReadFile(filepath.Join(dir, statusName))
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(text, &s)
}

// progress notes how far the analysis has come.
func (r *Recorder) progress(a *analyst.Analyst, s *ImportSummary, lag time.Duration) {
	t := a.Tally()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Analysed, r.status.Sessions = t.Frames, t.Sessions
	r.status.Events, r.status.Objects, r.status.Findings = s.Events, s.Objects, s.Findings
	if r.status.Lag = lag.Seconds(); lag < batchEvery+flushEvery {
		r.status.Lag = 0
	}
}
