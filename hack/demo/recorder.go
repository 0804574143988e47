package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
)

// RunRecorder demonstrates the recorder: real clients send and receive files through the
// appliance, one of them a list of people with My Numbers. The recorder behind the mirror port
// has all files, the privacy office has an alert in its mailbox, and a bit that is flipped
// afterwards is found. Options are as for [Run].
func RunRecorder(ctx context.Context, o Options) (err error) {
	network, err := o.open("record")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, network.Close()) }()
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	out := &story{w: o.Out}
	out.start()
	out.say("client -- clearspan -- origin, and client -- switch -- origin\na recorder on the mirror port of the one and the SPAN port of the other: clearspan recorder run\n\n")
	s, err := setEvidence(ctx, network, o)
	if err != nil {
		return err
	}
	if err := s.play(ctx, out); err != nil {
		return err
	}
	if err := out.verdict(); err != nil {
		return err
	}
	out.say("\nWhat was recorded is in %s. %d comparisons, no difference, %.1f s.\n", s.kept, out.compared, time.Since(out.start()).Seconds())
	return nil
}

// play sends the traffic, and looks at what was recorded.
func (s *evidence) play(ctx context.Context, out *story) error {
	out.say("Sent and received through clearspan; the clients trust its CA only:\n")
	for _, f := range []func(context.Context, *story) error{s.download, s.upload, s.browse, s.sendMail, s.keepMail, s.putFile} {
		if err := f(ctx, out); err != nil {
			return err
		}
	}
	out.say("\nPast clearspan, without TLS, over the switch:\n")
	for _, f := range []func(context.Context, *story) error{s.passLFTP, s.passSamba, s.passMail} {
		if err := f(ctx, out); err != nil {
			return err
		}
	}
	if err := s.awaitFiles(ctx); err != nil {
		return err
	}
	out.say("\nclearspan recorder search sent:true\n")
	text, err := s.command(ctx, "search", "--directory", s.kept, "sent:true")
	if err != nil {
		return err
	}
	out.say("%s", indented(text))
	out.say("\nCompared:\n")
	if err := s.compare(ctx, out); err != nil {
		return err
	}
	letter, err := s.boxes.WaitMessage(ctx, privacyUser, "Auto-Submitted")
	if err != nil {
		return fmt.Errorf("%w\n%s", err, s.log.String())
	}
	out.check(strings.Contains(letter, "To: <"+privacyUser+"@"+domain+">"), "the privacy office has an alert in its mailbox", letter)
	return s.prove(ctx, out)
}

// command runs a command of the recorder.
func (s *evidence) command(ctx context.Context, args ...string) (string, error) {
	r, err := lab.Run(ctx, s.gateway.Recorder, "", s.binary, append([]string{"recorder"}, args...)...)
	if err != nil {
		return r.Stdout, fmt.Errorf("recorder %s: %w", args[0], err)
	}
	return r.Stdout, nil
}

func indented(text string) string {
	return "  " + strings.TrimSuffix(strings.ReplaceAll(text, "\n", "\n  "), "  ")
}

// object is a line of the recorder about a file.
type object struct {
	Object    string `json:"object"`
	Name      string `json:"name"`
	Direction string `json:"direction"`
	Holes     int    `json:"holes"`
	Finding   string `json:"finding"`
	Count     int    `json:"count"`
}

// recorded asks the recorder for everything.
func (s *evidence) recorded(ctx context.Context) (list []object, err error) {
	text, err := s.command(ctx, "search", "--directory", s.kept, "--json", "--limit", "1000")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(text) {
		var o object
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			return nil, err
		}
		list = append(list, o)
	}
	return list, nil
}

// has reports whether a file was recorded as it was.
func (f *sentFile) in(list []object) bool {
	return slices.ContainsFunc(list, func(o object) bool {
		return o.Object == f.sum && o.Name == f.name && o.Direction == f.way && o.Holes == 0
	})
}

// awaitFiles waits until the analysis has come to the last file.
func (s *evidence) awaitFiles(ctx context.Context) error {
	for {
		list, err := s.recorded(ctx)
		if err == nil && !slices.ContainsFunc(s.files, func(f sentFile) bool { return !f.in(list) }) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the files: %w\n%v\n%s", errors.Join(ctx.Err(), err), list, s.log.String())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (s *evidence) compare(ctx context.Context, out *story) error {
	list, err := s.recorded(ctx)
	if err != nil {
		return err
	}
	for _, f := range s.files {
		out.check(f.in(list), fmt.Sprintf("%s, %s: name and SHA-256 %.8s", f.name, f.way, f.sum), fmt.Sprint(list))
	}
	found := slices.ContainsFunc(list, func(o object) bool { return o.Finding == "my-number" })
	people := slices.ContainsFunc(list, func(o object) bool { return o.Finding == "person" && o.Count == 40 })
	out.check(found && people, "a My Number and 40 people are found in the list", fmt.Sprint(list))
	return nil
}

// prove ends the recorder, verifies what it has left, and flips a bit.
func (s *evidence) prove(ctx context.Context, out *story) error {
	if err := errors.Join(s.appliance.Stop(), s.recorder.Stop(20*time.Second)); err != nil {
		return fmt.Errorf("%w\n%s", err, s.log.String())
	}
	key := filepath.Join(s.kept, "seal", "public.pem")
	text, err := s.command(ctx, "verify", s.kept, "--key", key)
	out.check(err == nil && strings.Contains(text, "OK "), "clearspan recorder verify: nothing was changed", text)
	volumes, err := filepath.Glob(filepath.Join(s.kept, "packets", "*.pcapng"))
	if err != nil || len(volumes) == 0 {
		return fmt.Errorf("no volume of packets: %v", err)
	}
	packets, err := os.ReadFile(volumes[0])
	if err != nil {
		return err
	}
	packets[len(packets)/2] ^= 1
	if err := os.WriteFile(volumes[0], packets, 0o600); err != nil {
		return err
	}
	text, err = s.command(ctx, "verify", s.kept, "--key", key)
	out.check(err != nil && strings.Contains(text, "was changed"), "one bit flipped in "+filepath.Base(volumes[0])+": verify names it", text)
	out.say("\nclearspan recorder verify, behind the flipped bit\n%s", indented(text))
	packets[len(packets)/2] ^= 1
	return os.WriteFile(volumes[0], packets, 0o600)
}
