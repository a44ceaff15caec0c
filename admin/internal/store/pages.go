package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
)

// The format of a file of bbolt: pages, of which the first two have the root. A page has a header and elements; an
// element has a key and, in a leaf, a value. The value of a bucket is the number of its root page, or 0 and a page.
// Source: package go.etcd.io/bbolt/internal/common.
const (
	pageHeaderBytes    = 16
	elementBytes       = 16
	bucketHeaderBytes  = 16
	metaChecksumOffset = 56

	branchPage    = 1
	leafPage      = 2
	freelistPage  = 16
	bucketElement = 1
)

// pages checks how the pages of a file are connected. bbolt has a check of its own, but that reads the memory mapping
// in another goroutine, where damage can end the program.
type pages struct {
	content  []byte
	pageSize uint64
	count    uint64
	used     map[uint64]bool
}

// checkPages returns an error if the content of a file is damaged: if a page in use is not what the page before says,
// or if a page is neither in use nor free, or both.
func checkPages(content []byte, pageSize int) error {
	p := &pages{content: content, pageSize: uint64(pageSize), used: map[uint64]bool{0: true, 1: true}}
	meta := p.newestMeta()
	if meta == nil {
		return errors.New("it has no valid header")
	}
	root, freelist := number(meta[16:]), number(meta[32:])
	p.count = number(meta[40:])
	if size := uint64(len(content)); p.count > size/p.pageSize {
		return fmt.Errorf("it has %d bytes for %d pages", size, p.count)
	}
	if err := p.checkTree(root); err != nil {
		return err
	}
	if err := p.checkFreelist(freelist); err != nil {
		return err
	}
	if unused := p.count - uint64(len(p.used)); unused > 0 {
		return fmt.Errorf("%d pages are neither in use nor free", unused)
	}
	return nil
}

func number(text []byte) uint64 { return binary.LittleEndian.Uint64(text) }

// newestMeta returns the valid header with the highest number of a transaction, nil if there is none.
func (p *pages) newestMeta() (newest []byte) {
	for i := range uint64(2) {
		start := i*p.pageSize + pageHeaderBytes
		if start+metaChecksumOffset+8 > uint64(len(p.content)) {
			break
		}
		meta := p.content[start:]
		sum := fnv.New64a()
		sum.Write(meta[:metaChecksumOffset])
		if number(meta[metaChecksumOffset:]) == sum.Sum64() && (newest == nil || number(meta[48:]) > number(newest[48:])) {
			newest = meta
		}
	}
	return newest
}

// page returns a page with its overflow, and marks it as used.
func (p *pages) page(id uint64, types ...uint16) ([]byte, error) {
	if id < 2 || id >= p.count {
		return nil, fmt.Errorf("page %d does not exist", id)
	}
	page := p.content[id*p.pageSize : p.count*p.pageSize]
	overflow := uint64(binary.LittleEndian.Uint32(page[12:]))
	if number(page) != id || overflow >= p.count-id {
		return nil, fmt.Errorf("page %d has an invalid header", id)
	}
	for i := range overflow + 1 {
		if p.used[id+i] {
			return nil, fmt.Errorf("page %d is used twice", id+i)
		}
		p.used[id+i] = true
	}
	page = page[:(overflow+1)*p.pageSize]
	for _, t := range types {
		if flags(page) == t {
			return page, nil
		}
	}
	return nil, fmt.Errorf("page %d has the invalid type %d", id, flags(page))
}

func flags(page []byte) uint16  { return binary.LittleEndian.Uint16(page[8:]) }
func length(page []byte) uint64 { return uint64(binary.LittleEndian.Uint16(page[10:])) }

// checkTree checks a page and the pages below it.
func (p *pages) checkTree(id uint64) error {
	page, err := p.page(id, branchPage, leafPage)
	if err != nil {
		return err
	}
	if err := p.checkElements(page); err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	return nil
}

// checkElements checks the elements of a page, and the pages that they refer to.
func (p *pages) checkElements(page []byte) error {
	if pageHeaderBytes+length(page)*elementBytes > uint64(len(page)) {
		return errors.New("too many elements")
	}
	var last []byte
	for i := range length(page) {
		element := page[pageHeaderBytes+i*elementBytes:]
		field := func(at int) uint64 { return uint64(binary.LittleEndian.Uint32(element[at:])) }
		position, keySize, valueSize := field(0), field(4), uint64(0)
		if flags(page) == leafPage {
			position, keySize, valueSize = field(4), field(8), field(12)
		}
		if i == 0 && position != elementBytes*length(page) {
			return errors.New("the number of elements is wrong")
		}
		if position+keySize+valueSize > uint64(len(element)) {
			return errors.New("an element extends beyond the page")
		}
		key, value := element[position:position+keySize], element[position+keySize:position+keySize+valueSize]
		if last != nil && bytes.Compare(last, key) >= 0 {
			return errors.New("keys are not in order")
		}
		last = key
		var err error
		switch {
		case flags(page) == branchPage:
			err = p.checkTree(number(element[8:]))
		case field(0) == bucketElement:
			err = p.checkBucket(value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkBucket checks a bucket, whose pages are in the file or, if it is small, in the value.
func (p *pages) checkBucket(value []byte) error {
	if len(value) < bucketHeaderBytes {
		return errors.New("a bucket has no header")
	}
	if root := number(value); root != 0 {
		return p.checkTree(root)
	}
	page := value[bucketHeaderBytes:]
	if len(page) < pageHeaderBytes || flags(page) != leafPage {
		return errors.New("a bucket has no page")
	}
	return p.checkElements(page)
}

// checkFreelist checks the list of the free pages. It counts them as used.
func (p *pages) checkFreelist(id uint64) error {
	page, err := p.page(id, freelistPage)
	if err != nil {
		return err
	}
	count, list := length(page), page[pageHeaderBytes:]
	if count == 0xffff { // the number is too great for the header
		count, list = number(list), list[8:]
	}
	if count > uint64(len(list)/8) {
		return errors.New("too many free pages")
	}
	for i := range count {
		free := number(list[i*8:])
		if free < 2 || free >= p.count || p.used[free] {
			return fmt.Errorf("page %d cannot be free", free)
		}
		p.used[free] = true
	}
	return nil
}
