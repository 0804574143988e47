package keeper

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"
	"time"

	"github.com/clearspan/clearspan/appliance/keeper/role"
)

// pauses are those before a replacement, by how many deaths there were in the last
// minute.
var pauses = []time.Duration{0, 100 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second, 10 * time.Second}

// manyDeaths in a minute make the box a failed one.
const manyDeaths = 5

// lost is told that a worker's socket is of no use any more.
func (k *Keeper) lost(w *worker, err error) {
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		if at := time.Now().Add(lingering); w.killAt.IsZero() || at.Before(w.killAt) {
			w.killAt = at
		}
		return
	}
	k.broke(w, err)
}

// broke ends a worker that broke the contract.
func (k *Keeper) broke(w *worker, err error) {
	if w.why == "" {
		w.why = err.Error()
	}
	w.kill()
}

// message is told what a worker says.
func (k *Keeper) message(w *worker, m *role.Message) {
	switch m.Kind {
	case role.KindReady:
		k.ready(w)
	case role.KindBeat:
		w.beat = time.Now()
	case role.KindState:
		w.sessions, w.summary = m.State.Sessions, m.State.Summary
		if w.state == Serving {
			k.summary.Store(w.summary)
		}
	case role.KindDone:
		k.changed(w, m.Result)
	case role.KindEnd:
		w.result = m.Result
	case role.KindAsk:
		k.asked(w, m.Ask)
	}
}

// exited is told that a process has ended. stack is what a crash wrote.
func (k *Keeper) exited(w *worker, how, stack string) {
	k.workers = slices.DeleteFunc(k.workers, func(other *worker) bool { return other == w })
	serving := w.state == Serving
	if w.why != "" {
		how += ": " + w.why
	}
	if stack != "" || serving && !k.stopping {
		k.log.Error("worker ended unasked", "worker", w.number, "pid", w.process.Pid, "how", how, "stack", stack)
	}
	switch c := k.change; {
	case c != nil && c.worker == w:
		k.refused(startError(w, how))
	case c != nil && c.asked == w:
		k.refused(fmt.Errorf("the worker ended: %s", how))
		k.died(serving)
	case k.stopping:
		k.farewell(w, how)
	default:
		k.died(serving)
	}
	k.closeUnused()
	k.quiet()
	k.check()
}

// startError tells why a worker did not become ready.
func startError(w *worker, how string) error {
	if err := w.result.Err(); err != nil && w.why == "" {
		return err
	}
	return fmt.Errorf("the worker ended before it was ready: %s", how)
}

// farewell notes how the last worker ended.
func (k *Keeper) farewell(w *worker, how string) {
	if w.unneeded {
		return
	}
	if err := w.result.Err(); err != nil {
		k.err = errors.Join(k.err, err)
	} else if w.result == nil {
		k.err = errors.Join(k.err, fmt.Errorf("worker ended: %s", how))
	}
}

// died replaces a worker that served.
func (k *Keeper) died(served bool) {
	if !served || k.stopping || k.current() != nil {
		return
	}
	k.mourn()
}

// mourn counts a death and sets the time of the replacement.
func (k *Keeper) mourn() {
	if k.stopping {
		return
	}
	now := time.Now()
	k.deaths = slices.DeleteFunc(k.deaths, func(t time.Time) bool { return now.Sub(t) > time.Minute })
	k.deaths = append(k.deaths, now)
	n := len(k.deaths)
	k.retryAt = now.Add(pauses[min(n, len(pauses))-1])
	if n < manyDeaths || k.failed {
		return
	}
	k.failed = true
	k.log.Error("workers die: no connections are taken", "deaths", n)
	k.cfg.Told(Failed)
	for _, h := range k.held {
		if !h.Private {
			k.complain("stop", h, h.stop())
		}
	}
}

// due does what the clock asks for.
func (k *Keeper) due(now time.Time) {
	if k.over {
		return
	}
	if c := k.change; c != nil && !c.until.IsZero() && now.After(c.until) {
		c.until = time.Time{}
		k.late(c)
	}
	stalled := !k.looked.IsZero() && now.Sub(k.looked) > k.cfg.Beats/2 // the keeper itself stood still
	k.looked = now
	for _, w := range slices.Clone(k.workers) {
		switch {
		case !w.killAt.IsZero() && now.After(w.killAt):
			w.killAt = now.Add(lingering)
			if w.state == Draining {
				w.why = "its time to drain is over"
			}
			w.kill()
		case w.state != Serving || k.change != nil && k.change.asked == w:
		case stalled:
			w.beat = now
		case now.Sub(w.beat) > k.cfg.Beats:
			k.hung(w)
		}
	}
	if !k.retryAt.IsZero() && !now.Before(k.retryAt) && k.change == nil {
		k.retryAt = time.Time{}
		if k.current() != nil {
			return
		}
		k.begin(request{replace: true, reply: func(role.Result) {}})
	}
}

// hung ends a worker that does not work any more. SIGQUIT has it write its stacks.
func (k *Keeper) hung(w *worker) {
	w.why = fmt.Sprintf("no beat for %v", k.cfg.Beats)
	w.beat, w.killAt = time.Now(), time.Now().Add(500*time.Millisecond)
	w.process.Signal(syscall.SIGQUIT)
}

// late ends a change that takes too long.
func (k *Keeper) late(c *change) {
	err := fmt.Errorf("the worker is not ready after %v", k.cfg.Patience)
	if w := c.worker; w != nil {
		w.state, w.why = Ending, err.Error()
		w.kill() // its end concludes the change
		return
	}
	k.refused(err)
}

// next is when due is to be called at the latest.
func (k *Keeper) next() time.Time {
	at := time.Now().Add(k.cfg.Beats / 4)
	times := []time.Time{k.retryAt}
	if k.change != nil {
		times = append(times, k.change.until)
	}
	for _, w := range k.workers {
		times = append(times, w.killAt)
	}
	for _, t := range times {
		if !t.IsZero() && t.Before(at) {
			at = t
		}
	}
	return at
}

// asked answers a worker.
func (k *Keeper) asked(w *worker, q *role.Ask) {
	answer := func(a role.Answer) {
		a.ID = q.ID
		w.conn.Send(&role.Message{Kind: role.KindAnswer, Answer: &a}) // an error: it is gone
	}
	switch q.What {
	case role.AskStatus:
		answer(role.Answer{Status: k.status()})
	case role.AskReload:
		k.begin(request{reply: func(r role.Result) { answer(role.Answer{Result: &r}) }})
	case role.AskPassphrase:
		k.askPassphrase(answer)
	default:
		k.broke(w, fmt.Errorf("it asks for %.20q", q.What))
	}
}

// askPassphrase asks whoever sits at the terminal, once.
func (k *Keeper) askPassphrase(answer func(role.Answer)) {
	switch {
	case k.passphrase != "":
		answer(role.Answer{Text: k.passphrase})
	case k.cfg.Prompt == nil || k.prompting:
		answer(role.Answer{Error: "there is nobody to ask for a passphrase"})
	default:
		k.prompting = true
		go func() {
			text, err := k.cfg.Prompt()
			k.do(func() {
				k.prompting = false
				if err != nil {
					answer(role.Answer{Error: err.Error()})
					return
				}
				k.passphrase = text
				answer(role.Answer{Text: text})
			})
		}()
	}
}
