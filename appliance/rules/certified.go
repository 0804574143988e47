package rules

import (
	"fmt"
	"slices"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// CertificateHost returns what tells the hosts that the configuration names for client
// certificates; nil if it names none.
func CertificateHost(cfg *config.Config) (func(name string) bool, error) {
	o := &cfg.Origin
	if len(o.ClientCertificateHosts)+len(o.ClientCertificateLists) == 0 {
		return nil, nil
	}
	named := slices.DeleteFunc(slices.Clone(cfg.Policy.Lists), func(l config.List) bool {
		return !slices.Contains(o.ClientCertificateLists, l.Name)
	})
	lists, err := loadLists(named)
	if err != nil {
		return nil, err
	}
	rule := policy.Rule{Name: "certified", Host: o.ClientCertificateHosts, Action: policy.Tunnel}
	for _, list := range lists {
		rule.Category = append(rule.Category, list)
	}
	table, err := policy.New([]policy.Rule{rule}, policy.Bump)
	if err != nil {
		return nil, fmt.Errorf("read hosts with client certificates: %w", err)
	}
	return func(name string) bool { return table.Decide(&policy.Facts{Host: name}).Action == policy.Tunnel }, nil
}
