package admission

import (
	"testing"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// TestShedPolicy: want of room only ever turns bump into tunnel, and what else there is
// to say of a decision stays said.
func TestShedPolicy(t *testing.T) {
	table := func(def policy.Action, rules ...policy.Rule) *policy.Table {
		t.Helper()
		made, err := policy.New(rules, def)
		if err != nil {
			t.Fatal(err)
		}
		return made.WithDefault(policy.Treatment{Learn: "off"})
	}
	issued := policy.Rule{Name: "issued", Issuer: []string{"ca"}, Action: policy.Terminate}
	for _, tt := range []struct {
		name  string
		level Level
		table *policy.Table
		facts policy.Facts
		want  policy.Decision
	}{
		{"ample", Ample, table(policy.Bump), policy.Facts{TLS: true}, policy.Decision{Rule: "default", Action: policy.Bump}},
		{"short", Short, table(policy.Bump), policy.Facts{TLS: true}, policy.Decision{Rule: "overload", Action: policy.Tunnel}},
		{"terminate stays", Short, table(policy.Terminate), policy.Facts{TLS: true}, policy.Decision{Rule: "default", Action: policy.Terminate}},
		{"the certificate first", Short, table(policy.Bump, issued), policy.Facts{TLS: true},
			policy.Decision{Rule: "default", Action: policy.Bump, Pending: true}},
		{"the certificate", Short, table(policy.Bump, issued), policy.Facts{TLS: true, Certificate: &policy.Certificate{Issuers: []string{"ca"}}},
			policy.Decision{Rule: "issued", Action: policy.Terminate}},
		{"another certificate", Short, table(policy.Bump, issued), policy.Facts{TLS: true, Certificate: new(policy.Certificate)},
			policy.Decision{Rule: "overload", Action: policy.Tunnel}},
		{"monitor", Short, table(policy.Bump).Monitor(), policy.Facts{TLS: true},
			policy.Decision{Rule: "default", Action: policy.Tunnel, Monitored: true, Would: policy.Bump}},
		{"monitor, plain", Short, table(policy.Bump).Monitor(), policy.Facts{},
			policy.Decision{Rule: "overload", Action: policy.Tunnel, Monitored: true, Would: policy.Bump}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ShedPolicy{tt.table, func() (Level, string) { return tt.level, "memory" }}.Decide(&tt.facts)
			if got.Treatment == nil || got.Treatment.Learn != "off" {
				t.Errorf("treatment %v", got.Treatment)
			}
			if got.Treatment = nil; got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}
