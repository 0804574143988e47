package rules

import (
	"fmt"
	"strconv"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// maxWarnings bounds how many rules are warned of.
const maxWarnings = 100

// Warnings tells of rules that no session reaches, and of empty lists.
func Warnings(cfg *config.Config) ([]config.Warning, error) {
	rules, err := withLists(cfg)
	if err != nil {
		return nil, err
	}
	table, err := policy.New(rules, cfg.Policy.Default)
	if err != nil {
		return nil, fmt.Errorf("build policy: %w", err)
	}
	var list []config.Warning
	for _, s := range table.Shadows(rules, maxWarnings) {
		list = append(list, config.Warning{
			Message: fmt.Sprintf("rule %s is never reached: rule %s before it matches the same sessions", rules[s.Rule].Name, rules[s.By].Name),
			Keys:    []string{"policy", "rules", strconv.Itoa(s.Rule)},
		})
	}
	told := make(map[*policy.List]bool)
	for _, r := range rules {
		for _, l := range r.Category {
			if l.Len() == 0 && !told[l] {
				told[l] = true
				list = append(list, config.Warning{
					Message: fmt.Sprintf("list %s is empty: rule %s does not match by it", l.Name(), r.Name),
					Keys:    []string{"policy", "lists", l.Name(), "file"},
				})
			}
		}
	}
	return list, nil
}
