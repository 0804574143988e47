package query_test

import (
	"fmt"

	"github.com/clearspan/clearspan/appliance/query"
)

func ExampleParse() {
	_, err := query.Parse("client:10.1.0.0/16 hots:*.example.com")
	fmt.Println(err)
	// Output: column 20: unknown field "hots": host?
}
