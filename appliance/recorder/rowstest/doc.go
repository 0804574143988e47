// Package rowstest makes captures of file transfers of which everything is known: in each
// row, clients and servers exchange files in one of the ways that are in use, and the row
// says which octets went which way under which name.
//
// Rows are for tests of recorders, this one and others. The same row always gives the same
// frames.
package rowstest
