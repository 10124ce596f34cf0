// Copyright (c) 2026, Rayfleet contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Reads policies and requests as JSON from the standard input, and prints what iam-simulate answers to each request.

import { readFileSync } from 'node:fs'

import { runSimulation } from '@cloud-copilot/iam-simulate'

const { policies, requests } = JSON.parse(readFileSync(0, 'utf8'))

async function answer({ principal, action, resource, account, context, resourcePolicy, identityPolicies }) {
  const simulation = {
    request: { principal, action, resource: { resource, accountId: account }, contextVariables: context },
    identityPolicies: identityPolicies.map((index) => ({ name: String(index), policy: policies[index] })),
    resourcePolicy: resourcePolicy === null ? undefined : policies[resourcePolicy],
    serviceControlPolicies: [],
    resourceControlPolicies: []
  }
  const found = await runSimulation(simulation, {})
  return found.resultType === 'error' ? `error: ${JSON.stringify(found.errors)}` : found.overallResult
}

const known = new Map() // many requests of a batch are the same
const answers = []
for (const request of requests) {
  const key = JSON.stringify(request)
  if (!known.has(key)) known.set(key, await answer(request))
  answers.push(known.get(key))
}
process.stdout.write(JSON.stringify(answers))
