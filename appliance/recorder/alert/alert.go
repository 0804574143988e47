// Package alert tells people of findings: by mail (SMTP, RFC 5321), by HTTP and by syslog
// (RFC 5424). What is told waits on disk until it was taken, for three days.
//
// The first finding of a kind of a client is told at once. Further ones of the same kind, rule
// and client are gathered for ten minutes, and told together. An alert says who sent what where,
// with a masked sample. It has no personal data beyond that.
package alert

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Finding is what is to be told.
type Finding struct {
	At       time.Time `json:"at"`
	Rule     string    `json:"rule,omitempty"` // that says so; "": there are no rules
	Detector string    `json:"finding"`
	Count    uint64    `json:"count"`
	Score    int       `json:"score"`
	Sample   string    `json:"sample"` // masked
	Place    string    `json:"place"`
	Client   string    `json:"client"`
	Server   string    `json:"server"`
	What     string    `json:"what"` // the event in a few words
	File     string    `json:"file"`
	Object   string    `json:"object"` // SHA-256
	Event    string    `json:"event_id"`
}

// Alert is one message: a finding, or several of a kind and client.
type Alert struct {
	Findings []Finding `json:"findings"`
	More     int       `json:"more,omitempty"` // that are not listed
}

// Title says in a line what it is about.
func (a *Alert) Title() string {
	f := a.Findings[0]
	if n := len(a.Findings) + a.More; n > 1 {
		return fmt.Sprintf("%d times %s, sent by %s", n, f.Detector, f.Client)
	}
	return fmt.Sprintf("%s (%d) sent by %s", f.Detector, f.Count, f.Client)
}

// Text says it for people.
func (a *Alert) Text() string {
	var b strings.Builder
	for i := range a.Findings {
		f := &a.Findings[i]
		fmt.Fprintf(&b, "%s  %s, %d times, score %d, such as %s\n", f.At.Local().Format(time.DateTime), f.Detector, f.Count, f.Score, f.Sample)
		if f.Rule != "" {
			fmt.Fprintf(&b, "  rule    %s\n", f.Rule)
		}
		fmt.Fprintf(&b, "  file    %s, %s\n  from    %s to %s\n  by      %s\n  object  %s\n  event   %s\n\n", f.File, f.Place, f.Client, f.Server, f.What, f.Object, f.Event)
	}
	if a.More > 0 {
		fmt.Fprintf(&b, "and %d more\n", a.More)
	}
	return b.String()
}

// Receiver takes alerts.
type Receiver interface {
	// Name is what rules call it. No other has it.
	Name() string
	// Send returns when the alert was taken.
	Send(ctx context.Context, a *Alert) error
}

const (
	gather    = 10 * time.Minute
	listed    = 20 // findings of an alert
	kept      = 3 * 24 * time.Hour
	maxQueue  = 10_000
	maxGroups = 10_000
	sendLimit = 30 * time.Second
)

// Queue tells receivers of findings. It is safe for concurrent use.
type Queue struct {
	dir       string
	receivers []Receiver
	log       *slog.Logger
	gather    time.Duration

	mu     sync.Mutex
	groups map[string]*group // by detector, rule and client
	seq    uint64
	lost   uint64
	wake   chan struct{}
}

// group is what was told of a kind and client, and what is gathered.
type group struct {
	to      []string // receivers
	since   time.Time
	pending *Alert
}

// Open opens the queue in a directory, which is made if it is not there.
func Open(dir string, receivers []Receiver, log *slog.Logger) (*Queue, error) {
	q := &Queue{dir: dir, receivers: receivers, log: log, gather: gather, groups: make(map[string]*group), wake: make(chan struct{}, 1), seq: uint64(time.Now().UnixNano())}
	names := make(map[string]bool)
	for i, r := range receivers {
		if names[r.Name()] {
			return nil, fmt.Errorf("two receivers of alerts are called %s, put NAME= in front of an address", r.Name())
		}
		names[r.Name()] = true
		if err := os.MkdirAll(q.folder(i), 0o700); err != nil {
			return nil, fmt.Errorf("queue of alerts: %w", err)
		}
	}
	return q, nil
}

// folder returns where alerts of a receiver wait. It has its name: others may come and go.
func (q *Queue) folder(i int) string {
	name := sha256.Sum256([]byte(q.receivers[i].Name()))
	return filepath.Join(q.dir, hex.EncodeToString(name[:8]))
}

// Add takes a finding for the receivers of these names; none: for all.
func (q *Queue) Add(f Finding, to []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	key := f.Detector + "\x00" + f.Rule + "\x00" + hostOf(f.Client)
	g := q.groups[key]
	switch {
	case g == nil:
		if len(q.groups) < maxGroups {
			q.groups[key] = &group{to: to, since: time.Now()}
		}
		q.put(&Alert{Findings: []Finding{f}}, to)
	case g.pending == nil:
		g.pending = &Alert{Findings: []Finding{f}}
	case len(g.pending.Findings) < listed:
		g.pending.Findings = append(g.pending.Findings, f)
	default:
		g.pending.More++
	}
}

// hostOf returns an address without its port.
func hostOf(address string) string {
	if i := strings.LastIndexByte(address, ':'); i >= 0 {
		return address[:i]
	}
	return address
}

// put writes an alert for each of the receivers; none: for all.
func (q *Queue) put(a *Alert, to []string) {
	text, err := json.Marshal(a)
	if err != nil {
		return
	}
	q.seq++
	for i, r := range q.receivers {
		if len(to) > 0 && !slices.Contains(to, r.Name()) {
			continue
		}
		list, err := os.ReadDir(q.folder(i))
		if err == nil && len(list) >= maxQueue {
			err = errors.New("too many alerts wait")
		}
		name := filepath.Join(q.folder(i), fmt.Sprintf("%020d", q.seq))
		if err == nil {
			err = os.WriteFile(name+".tmp", text, 0o600)
		}
		if err == nil {
			err = os.Rename(name+".tmp", name)
		}
		if err != nil {
			q.lost++
			q.log.Error("alert lost", "receiver", q.receivers[i].Name(), "err", err)
		}
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// due puts what was gathered for long enough; all of it, if that is asked for.
func (q *Queue) due(now time.Time, all bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for key, g := range q.groups {
		if !all && now.Sub(g.since) < q.gather {
			continue
		}
		if g.pending == nil {
			delete(q.groups, key)
			continue
		}
		q.put(g.pending, g.to)
		g.pending, g.since = nil, now
	}
}

const (
	lookEvery  = time.Second
	firstRetry = time.Second
	lastRetry  = 5 * time.Minute
)

// Run sends alerts until the context ends. What is gathered then is put into the queue, for
// the next start.
func (q *Queue) Run(ctx context.Context) {
	var sending sync.WaitGroup
	for i := range q.receivers {
		sending.Go(func() { q.send(ctx, i) })
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case now := <-tick.C:
			q.due(now, false)
		}
	}
	sending.Wait()
	q.due(time.Now(), true)
}

// send sends the alerts of one receiver in order.
func (q *Queue) send(ctx context.Context, i int) {
	retry := firstRetry
	for ctx.Err() == nil {
		wait := lookEvery / 4
		name, a := q.oldest(i)
		if a != nil {
			limited, cancel := context.WithTimeout(ctx, sendLimit)
			err := q.receivers[i].Send(limited, a)
			cancel()
			if err == nil {
				os.Remove(name)
				retry = firstRetry
				continue
			}
			if retry == firstRetry {
				q.log.Warn("alert waits, it is sent again", "receiver", q.receivers[i].Name(), "err", err)
			}
			wait = retry
			retry = min(2*retry, lastRetry)
		}
		select {
		case <-ctx.Done():
		case <-q.wake:
		case <-time.After(wait):
		}
	}
}

// oldest returns the alert that waits for longest. What has waited for too long is given up.
func (q *Queue) oldest(i int) (name string, a *Alert) {
	list, err := os.ReadDir(q.folder(i))
	if err != nil {
		return "", nil
	}
	for _, e := range list {
		if strings.HasSuffix(e.Name(), ".tmp") {
			continue
		}
		name = filepath.Join(q.folder(i), e.Name())
		text, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		a = &Alert{}
		if info, e := e.Info(); err == nil && e == nil && time.Since(info.ModTime()) > kept {
			err = errors.New("it was not taken within three days")
		}
		if err == nil {
			err = json.Unmarshal(text, a)
		}
		if err == nil && !slices.ContainsFunc(a.Findings, func(Finding) bool { return true }) {
			err = errors.New("it is empty")
		}
		if err == nil {
			return name, a
		}
		q.log.Error("alert lost", "receiver", q.receivers[i].Name(), "err", err)
		os.Remove(name)
	}
	return "", nil
}
