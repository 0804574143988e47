// Package rules makes of the configuration what decides about sessions: the rule table, and
// what is learned.
package rules

import (
	"errors"
	"fmt"
	"os"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/learn"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// Table builds the rule table that cfg describes, and reads its lists. Every
// fault of a list is a [*policy.ListError].
func Table(cfg *config.Config) (*policy.Table, error) {
	rules, err := withLists(cfg)
	if err != nil {
		return nil, err
	}
	table, err := policy.New(rules, cfg.Policy.Default)
	if err != nil {
		return nil, fmt.Errorf("build policy: %w", err)
	}
	treatment := cfg.Policy.Treatment
	treatment.ALPNOffer = cfg.Origin.ALPNOffer
	table = table.WithDefault(treatment)
	if table, err = table.WithEvents(cfg.Policy.Events); err != nil {
		return nil, fmt.Errorf("build policy: %w", err)
	}
	if cfg.Policy.Mode == config.Monitor {
		table = table.Monitor()
	}
	return table, nil
}

// withLists returns the rules of cfg with their lists, which it reads.
func withLists(cfg *config.Config) ([]policy.Rule, error) {
	lists, err := loadLists(cfg.Policy.Lists)
	if err != nil {
		return nil, err
	}
	rules := make([]policy.Rule, 0, len(cfg.Policy.Rules))
	for _, r := range cfg.Policy.Rules {
		rule := r.Rule
		for _, name := range r.Category {
			rule.Category = append(rule.Category, lists[name])
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

// Names tells when server names are looked up.
func Names(p config.Policy) decrypt.Names {
	_, decides := p.Events[policy.SNIUnresolved]
	switch {
	case p.NoLookup:
		return decrypt.NamesNever
	case decides && p.Mode != config.Monitor:
		return decrypt.NamesFirst
	}
	return decrypt.NamesBeside
}

// loadLists reads the lists, by name.
func loadLists(from []config.List) (map[string]*policy.List, error) {
	lists := make(map[string]*policy.List, len(from))
	var errs []error
	for _, l := range from {
		list, err := loadList(l)
		errs = append(errs, err)
		lists[l.Name] = list
	}
	return lists, errors.Join(errs...)
}

func loadList(l config.List) (*policy.List, error) {
	f, err := os.Open(l.File)
	if err != nil {
		return nil, fmt.Errorf("open list %s: %w", l.Name, err)
	}
	defer f.Close()
	if l.Kind == config.URLList {
		return policy.ReadURLList(l.Name, l.File, f)
	}
	return policy.ReadList(l.Name, l.File, f)
}

// Lessons are what is learned under cfg. Where client certificates are no reason
// to tunnel, they are none to learn it.
func Lessons(cfg *config.Config) learn.Options {
	o := cfg.Policy.Learn
	if cfg.Origin.ClientCertificate == decrypt.BlockRequest {
		o.ClientCertificate = learn.Off
	}
	return o
}
