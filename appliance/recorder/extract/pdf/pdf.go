//go:build !race

package pdf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/klippa-app/go-pdfium"
	pdfium_errors "github.com/klippa-app/go-pdfium/errors"
	"github.com/klippa-app/go-pdfium/references"
	"github.com/klippa-app/go-pdfium/requests"
	"github.com/klippa-app/go-pdfium/webassembly"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// Limits of a document.
const (
	maxAttachments = 1000
	maxMemory      = 256 << 20 // of the module, in octets; above that it gets none
	pageSize       = 64 << 10  // of WebAssembly
	waitFor        = time.Minute
)

var (
	mu   sync.Mutex // one document at a time
	pool pdfium.Pool
)

// start compiles the module. mu is held.
func start() (err error) {
	if pool != nil {
		return nil
	}
	pool, err = webassembly.Init(webassembly.Config{
		MinIdle: 0, MaxIdle: 0, MaxTotal: 1, FSConfig: wazero.NewFSConfig(), Stdout: io.Discard, Stderr: io.Discard,
		RuntimeConfig: wazero.NewRuntimeConfig().WithCoreFeatures(api.CoreFeaturesV2 | experimental.CoreFeaturesExceptionHandling).WithMemoryLimitPages(maxMemory / pageSize),
	})
	return err
}

// Document is one that is open. It is not safe for concurrent use. Nobody else can open one
// before it is closed.
type Document struct {
	instance pdfium.Pdfium
	document references.FPDF_DOCUMENT
	pages    int
}

// Open opens a document of that size. If it is encrypted, passwords are tried: the first is
// none. The error is then [ErrLocked], if none fits.
func Open(r io.ReaderAt, size int64, passwords []string) (d *Document, err error) {
	mu.Lock()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the reader of PDF failed: %v", p)
		}
		if err != nil {
			d.close()
			d = nil
			mu.Unlock()
		}
	}()
	if err := start(); err != nil {
		return nil, fmt.Errorf("start of the reader of PDF: %w", err)
	}
	d = &Document{}
	if d.instance, err = pool.GetInstance(waitFor); err != nil {
		return d, err
	}
	for _, password := range append([]string{""}, passwords...) {
		request := &requests.OpenDocument{FileReader: io.NewSectionReader(r, 0, size), FileReaderSize: size}
		if password != "" {
			request.Password = &password
		}
		opened, err := d.instance.OpenDocument(request)
		if errors.Is(err, pdfium_errors.ErrPassword) {
			continue
		}
		if err != nil {
			return d, err
		}
		d.document = opened.Document
		count, err := d.instance.FPDF_GetPageCount(&requests.FPDF_GetPageCount{Document: d.document})
		if err != nil {
			return d, err
		}
		d.pages = count.PageCount
		return d, nil
	}
	return d, ErrLocked
}

// Pages returns how many pages there are.
func (d *Document) Pages() int { return d.pages }

// Text returns the text of a page, which count from 0.
func (d *Document) Text(page int) (text string, err error) {
	defer caught(&err)
	r, err := d.instance.GetPageText(&requests.GetPageText{Page: requests.Page{ByIndex: &requests.PageByIndex{Document: d.document, Index: page}}})
	if err != nil {
		return "", err
	}
	return strings.NewReplacer("\r\n", "\n", "\r", "\n", "\x00", "").Replace(r.Text), nil
}

// Attachments calls f with the files that are in the document, until it returns false.
func (d *Document) Attachments(ctx context.Context, f func(name string, octets []byte) bool) (err error) {
	defer caught(&err)
	count, err := d.instance.FPDFDoc_GetAttachmentCount(&requests.FPDFDoc_GetAttachmentCount{Document: d.document})
	if err != nil {
		return err
	}
	for i := range min(count.AttachmentCount, maxAttachments) {
		if err := ctx.Err(); err != nil {
			return err
		}
		a, err := d.instance.FPDFDoc_GetAttachment(&requests.FPDFDoc_GetAttachment{Document: d.document, Index: i})
		if err != nil {
			return err
		}
		name, err := d.instance.FPDFAttachment_GetName(&requests.FPDFAttachment_GetName{Attachment: a.Attachment})
		if err != nil {
			return err
		}
		file, err := d.instance.FPDFAttachment_GetFile(&requests.FPDFAttachment_GetFile{Attachment: a.Attachment})
		if err != nil {
			return err
		}
		if !f(name.Name, file.Contents) {
			return nil
		}
	}
	return nil
}

// caught makes an error of a panic.
func caught(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("the reader of PDF failed: %v", p)
	}
}

// Close gives the document and its memory up.
func (d *Document) Close() {
	defer mu.Unlock()
	d.close()
}

// close ends the instance, whatever state it is in.
func (d *Document) close() {
	var err error
	defer caught(&err)
	if d != nil && d.instance != nil {
		d.instance.Kill() // its memory is that of this document alone
	}
}
