package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v4"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/recorder"
	"github.com/clearspan/clearspan/appliance/recorder/inspect"
	"github.com/clearspan/clearspan/appliance/recorder/judge"
)

// listFlags are the flags of commands that look for what an operator names.
type listFlags struct {
	dictionaries, registered []string
}

func (l *listFlags) add(f *pflag.FlagSet) {
	f.StringArrayVar(&l.dictionaries, "dictionary", nil, "look for the words in a file, one a line: `NAME=FILE` (may be repeated)")
	f.StringArrayVar(&l.registered, "registered", nil, "look for the cells of a table (.csv, .tsv), or for passages of documents: `NAME=FILE` or directory (may be repeated)")
}

// load reads the files.
func (l *listFlags) load(ctx context.Context) (inspect.Options, error) {
	var lists recorder.Lists
	for flag, of := range map[string]struct {
		from []string
		to   *[]recorder.List
	}{"--dictionary": {l.dictionaries, &lists.Dictionaries}, "--registered": {l.registered, &lists.Registered}} {
		for _, text := range of.from {
			name, file, ok := strings.Cut(text, "=")
			if !ok || name == "" || file == "" {
				return inspect.Options{}, badConfig(fmt.Errorf("%s %s: want NAME=FILE", flag, text))
			}
			*of.to = append(*of.to, recorder.List{Name: name, File: file})
		}
	}
	return lists.Load(ctx)
}

// ruleFlags are the flags of commands that judge findings.
type ruleFlags struct {
	rules  []string
	inside []string
}

func (r *ruleFlags) add(f *pflag.FlagSet) {
	f.StringArrayVar(&r.inside, "inside", nil, "`NETWORK` or @DOMAIN of mail that is inside (may be repeated)")
	f.StringArrayVar(&r.rules, "rule", nil, "say which findings are told: `RULE` (may be repeated)")
}

// receivedUsage explains the flag of commands that look for personal data.
const receivedUsage = "look for personal and confidential data in what clients receive, too"

// passwordsUsage explains the same for encrypted archives.
const passwordsUsage = "try the words of mail messages on encrypted zip archives between the same people, within an hour"

// ruleHelp explains rules. It is a part of long help texts.
const ruleHelp = `A rule says which findings are told, such as
  {name: numbers-out, to: outside, when: {my-number: 1}, or: {person: 100}, alert: [office]}
when and or have detectors with the least number of values. Further keys: sent,
received, client, user, to, size, score.`

// read returns the rules.
func (r *ruleFlags) read() (list []judge.Rule, err error) {
	for _, text := range r.rules {
		rule, err := parseRule(text)
		if err != nil {
			return nil, badConfig(fmt.Errorf("--rule: %w", err))
		}
		list = append(list, rule)
	}
	return list, nil
}

// words is a list, or one word.
type words []string

// UnmarshalYAML implements [yaml.Unmarshaler].
func (w *words) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*w = words{n.Value}
		return nil
	}
	return n.Decode((*[]string)(w))
}

// parseRule reads a rule in YAML.
func parseRule(text string) (r judge.Rule, err error) {
	var x struct {
		Name           string
		Sent, Received bool
		Client, User   words
		To             words
		Size           string
		When, Or       map[string]uint64
		Score          int
		Alert          words
	}
	d := yaml.NewDecoder(strings.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&x); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("it is empty")
		}
		return r, err
	}
	r = judge.Rule{Name: x.Name, Sent: x.Sent, Received: x.Received, Client: x.Client, User: x.User, To: x.To, When: x.When, Or: x.Or, Score: x.Score, Alert: x.Alert}
	if x.Size != "" {
		r.Size, err = config.ParseSize(x.Size)
	}
	return r, err
}
