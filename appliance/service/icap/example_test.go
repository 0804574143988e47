package icap_test

import (
	"context"
	"errors"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"github.com/clearspan/clearspan/appliance/service/icap"
)

// A download is shown to a virus scanner.
func Example() {
	client, err := icap.New(icap.Config{URLs: []string{"icap://127.0.0.1:1344/avscan"}, Timeout: 5 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	result, err := client.Adapt(context.Background(), &icap.Message{
		Method:   icap.RESPMOD,
		Request:  []byte("GET /file HTTP/1.1\r\nHost: www.example.test\r\n\r\n"),
		Response: []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n"),
		Body:     strings.NewReader("hello"), Length: 5,
	})
	if failure := (*icap.Error)(nil); errors.As(err, &failure) && failure.Whole {
		log.Print(failure.Kind) // failure.Original may pass, if policy says so
		return
	} else if err != nil {
		log.Fatal(err)
	}
	log.Print(result.Outcome, " ", result.Detail.Infection)
	if result.Body != nil {
		defer result.Body.Close()
		io.Copy(os.Stdout, result.Body)
	}
}
