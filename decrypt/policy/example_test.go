package policy_test

import (
	"fmt"

	"github.com/clearspan/clearspan/decrypt/policy"
)

func ExampleTable_Explain() {
	table, err := policy.New([]policy.Rule{
		{Name: "mail", Port: []policy.PortRange{{First: 465, Last: 465}}, Action: policy.Bump},
		{Name: "banks", Host: []string{"bank.example", "*.bank.example"}, Action: policy.Tunnel},
	}, policy.Bump)
	if err != nil {
		fmt.Println(err)
		return
	}
	facts := &policy.Facts{TLS: true, SNI: "www.bank.example"}
	for _, step := range table.Explain(facts) {
		fmt.Println(step)
	}
	fmt.Println(table.Decide(facts).Action)
	// Output:
	// mail: port is not known
	// banks: matches, tunnel
	// tunnel
}
