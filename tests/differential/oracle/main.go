// SPDX-FileCopyrightText: dataplatform.monitoring contributors
// SPDX-License-Identifier: GPL-3.0-or-later

// Command oracle answers with Alertmanager's own packages: one question per line of standard input, one answer per
// line of standard output, both JSON. It decides nothing itself.
package main

import (
	"bufio"
	"encoding/json"
	"os"
	"sort"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/matcher/compat"
	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
)

type question struct {
	Mode     string           `json:"mode"`     // "", "classic-mode" or "utf8-strict-mode"
	Matchers *string          `json:"matchers"` // parse this string of matchers, and
	Config   *string          `json:"config"`   // or load this configuration, and
	Alerts   []model.LabelSet `json:"alerts"`   // match each of these
}

type route struct {
	Receiver string    `json:"receiver"`
	GroupBy  []string  `json:"group_by"`
	All      bool      `json:"all"`
	Times    []float64 `json:"times"`
	Key      string    `json:"key"`
}

type answer struct {
	Error    string      `json:"error,omitempty"`
	Matchers [][3]string `json:"matchers"`
	Matches  []bool      `json:"matches,omitempty"`
	Routes   [][]route   `json:"routes,omitempty"`
}

func answerTo(q question) (a answer) {
	flags, err := featurecontrol.NewFlags(promslog.NewNopLogger(), q.Mode)
	if err != nil {
		return answer{Error: err.Error()}
	}
	compat.InitFromFlags(promslog.NewNopLogger(), flags)
	if q.Matchers != nil {
		found, err := compat.Matchers(*q.Matchers, "oracle")
		if err != nil {
			return answer{Error: err.Error()}
		}
		a.Matchers = [][3]string{}
		for _, m := range found {
			a.Matchers = append(a.Matchers, [3]string{m.Name, m.Type.String(), m.Value})
		}
		for _, alert := range q.Alerts {
			a.Matches = append(a.Matches, labels.Matchers(found).Matches(alert))
		}
		return a
	}
	loaded, err := config.Load(*q.Config)
	if err != nil {
		return answer{Error: err.Error()}
	}
	tree := dispatch.NewRoute(loaded.Route, nil)
	for _, alert := range q.Alerts {
		routes := []route{}
		for _, r := range tree.Match(alert) {
			o := r.RouteOpts
			names := []string{}
			for name := range o.GroupBy {
				names = append(names, string(name))
			}
			sort.Strings(names)
			times := []float64{o.GroupWait.Seconds(), o.GroupInterval.Seconds(), o.RepeatInterval.Seconds()}
			routes = append(routes, route{o.Receiver, names, o.GroupByAll, times, r.Key()})
		}
		a.Routes = append(a.Routes, routes)
	}
	return a
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 1<<20), 64<<20)
	out := bufio.NewWriter(os.Stdout)
	for in.Scan() {
		var q question
		var a answer
		if err := json.Unmarshal(in.Bytes(), &q); err != nil {
			a = answer{Error: "question: " + err.Error()}
		} else {
			a = answerTo(q)
		}
		line, _ := json.Marshal(a)
		out.Write(append(line, '\n'))
		out.Flush()
	}
}
