// SPDX-FileCopyrightText: dataplatform.monitoring contributors
// SPDX-License-Identifier: GPL-3.0-or-later

// Command alloy reads a configuration on standard input with Grafana Alloy's own parser and writes it as JSON: a list of
// blocks with name, label, attributes and blocks. It evaluates nothing: an expression that is neither a text nor a list
// of them is its source.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/grafana/alloy/syntax/ast"
	"github.com/grafana/alloy/syntax/parser"
	"github.com/grafana/alloy/syntax/printer"
	"github.com/grafana/alloy/syntax/token"
)

type block struct {
	Name       string         `json:"name"`
	Label      string         `json:"label"`
	Attributes map[string]any `json:"attributes"`
	Blocks     []block        `json:"blocks"`
}

func value(expression ast.Expr) any {
	switch known := expression.(type) {
	case *ast.LiteralExpr:
		if known.Kind == token.STRING {
			if text, err := strconv.Unquote(known.Value); err == nil {
				return text
			}
		}
	case *ast.ArrayExpr:
		elements := []any{}
		for _, element := range known.Elements {
			elements = append(elements, value(element))
		}
		return elements
	}
	var source bytes.Buffer
	if err := printer.Fprint(&source, expression); err != nil {
		return err.Error()
	}
	return source.String()
}

func read(name, label string, body ast.Body) block {
	found := block{name, label, map[string]any{}, []block{}}
	for _, statement := range body {
		switch known := statement.(type) {
		case *ast.AttributeStmt:
			found.Attributes[known.Name.Name] = value(known.Value)
		case *ast.BlockStmt:
			found.Blocks = append(found.Blocks, read(strings.Join(known.Name, "."), known.Label, known.Body))
		}
	}
	return found
}

func main() {
	text, err := io.ReadAll(os.Stdin)
	if err == nil {
		var file *ast.File
		if file, err = parser.ParseFile("config.alloy", text); err == nil {
			err = json.NewEncoder(os.Stdout).Encode(read("", "", file.Body).Blocks)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
