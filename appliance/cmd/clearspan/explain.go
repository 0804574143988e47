package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/control/client"
	"github.com/clearspan/clearspan/appliance/explain"
	"github.com/clearspan/clearspan/appliance/rules"
	"github.com/clearspan/clearspan/decrypt/learn"
	"github.com/clearspan/clearspan/decrypt/policy"
)

func (q *question) answer(cmd *cobra.Command) error {
	cfg, file, err := q.configuration(cmd)
	if err != nil {
		return badConfig(err)
	}
	table, err := rules.Table(cfg)
	if err != nil {
		return diagnose(file, cfg, badConfig(err))
	}
	if err := q.known(cfg, cmp.Or(file, "the built-in configuration")); err != nil {
		return badConfig(err)
	}
	if q.capture != "" {
		return q.look(cmd, table)
	}
	if err := q.complete(); err != nil {
		return badConfig(err)
	}
	out := cmd.OutOrStdout()
	answer := explain.Session(table, &q.facts, lessons(cfg))
	if q.json {
		return answer.WriteJSON(out, cmp.Or(file, "built in"), cfg.OpenDoors())
	}
	for _, door := range cfg.OpenDoors() { // first: the rule that decides is the last line
		fmt.Fprintln(out, "open door:", door)
	}
	return answer.WriteText(out)
}

// configuration reads the file that the flags name, that of the running appliance, or the
// built-in configuration. file is "" for the last one.
func (q *question) configuration(cmd *cobra.Command) (cfg *config.Config, file string, err error) {
	if file = q.at.file; file != "" {
		cfg, err = config.Load(file)
		return cfg, file, err
	}
	note := "built in; no appliance runs"
	state := q.at.state
	err = q.at.ask(cmd, func(ctx context.Context, c *client.Client) error {
		s, err := c.Status(ctx)
		if err != nil {
			return err
		}
		state, file = s.Config.State, s.Config.File
		if note = "built in, of process " + strconv.Itoa(s.Process); file == "" {
			return nil
		}
		note = fmt.Sprintf("%s, of process %d", file, s.Process)
		if info, err := os.Stat(file); err == nil && info.ModTime().After(s.Config.Loaded) {
			note += ", which has not read its last change"
		}
		return nil
	})
	if err != nil && !errors.Is(err, client.ErrNotRunning) {
		note = fmt.Sprintf("built in; the running appliance cannot be asked: %v", err)
	}
	fmt.Fprintln(cmd.ErrOrStderr(), "configuration:", note)
	if file != "" {
		cfg, err = config.Load(file)
	} else {
		cfg, err = config.Quick{State: state}.Config(config.Starter, os.Getenv)
	}
	return cfg, file, err
}

// known refuses names that the configuration, or clearspan, does not have.
func (q *question) known(cfg *config.Config, where string) error {
	names := make([]string, len(cfg.Intakes))
	for i := range cfg.Intakes {
		names[i] = cfg.Intakes[i].Name
	}
	if name := q.facts.Intake; name != "" && !slices.Contains(names, name) {
		return fmt.Errorf("--intake: %s has no intake %q%s", where, name, meant(name, names))
	}
	if p := q.facts.Protocol; p != "" && !slices.Contains(config.Protocols(), p) {
		if near := meant(p, config.Protocols()); near != "" {
			return fmt.Errorf("--protocol: unknown protocol %q%s", p, near)
		}
		return fmt.Errorf("--protocol: unknown protocol %q, want %s", p, strings.Join(config.Protocols(), ", "))
	}
	return nil
}

// meant asks whether a word that is near was meant, "" if none is.
func meant(word string, words []string) string {
	if near := config.Nearest(word, words); near != "" {
		return fmt.Sprintf(", did you mean %q?", near)
	}
	return ""
}

// lessons reads what the appliance of a configuration has learned.
func lessons(cfg *config.Config) explain.Lessons {
	table := learn.New(rules.Lessons(cfg), learn.Config{})
	err := table.Read(filepath.Join(cfg.State, "learned.json"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return explain.Lessons{Why: err.Error()}
	}
	return explain.Lessons{Table: table}
}

// look answers for a capture.
func (q *question) look(cmd *cobra.Command, table *policy.Table) error {
	in := os.Stdin
	if q.capture != "-" {
		f, err := os.Open(q.capture)
		if err != nil {
			return fmt.Errorf("read capture: %w", err)
		}
		defer f.Close()
		in = f
	}
	out := cmd.OutOrStdout()
	summary, err := explain.Capture(out, table, in, explain.Options{Intake: q.facts.Intake, Rules: q.rules, JSON: q.json})
	if err != nil {
		err = fmt.Errorf("%s: %w", q.capture, err)
	}
	if err != nil && summary.Frames == 0 {
		return err
	}
	if q.json {
		return errors.Join(json.NewEncoder(out).Encode(map[string]any{"summary": summary}), err)
	}
	return errors.Join(summary.WriteText(out), err)
}
