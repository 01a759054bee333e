// fhir-kit-client, as it is, against the server whose address is the first argument. Prints one JSON line; throws on any surprise.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { CapabilityTool, Client } from 'fhir-kit-client';

const client = new Client({ baseUrl: process.argv[2] });
const done = [];

const tool = new CapabilityTool(await client.capabilityStatement());
assert.equal(tool.serverCan('transaction'), true);
assert.equal(tool.resourceCan('Patient', 'create'), true);
assert.equal(tool.resourceSearch('Patient', 'birthdate'), true);
done.push('capabilities');

const made = await client.create({
  resourceType: 'Patient',
  body: { resourceType: 'Patient', active: true, name: [{ family: 'Zhang', given: ['Wei'] }] },
});
assert.equal(Client.httpFor(made).response.status, 201);
const read = await client.read({ resourceType: 'Patient', id: made.id });
assert.deepEqual(read, made);
const updated = await client.update({
  resourceType: 'Patient', id: made.id, body: { ...read, gender: 'male' },
  options: { headers: { 'If-Match': 'W/"1"' } },
});
assert.equal(updated.meta.versionId, '2');
assert.equal((await client.vread({ resourceType: 'Patient', id: made.id, version: '1' })).gender, undefined);
await assert.rejects(
  client.update({
    resourceType: 'Patient', id: made.id, body: read, options: { headers: { 'If-Match': 'W/"1"' } },
  }),
  (error) => error.response.status === 412,
);
const patched = await client.patch({
  resourceType: 'Patient', id: made.id, jsonPatch: [{ op: 'replace', path: '/active', value: false }],
});
assert.equal(patched.active, false);
const history = await client.history({ resourceType: 'Patient', id: made.id });
assert.deepEqual(history.entry.map((e) => e.request.method), ['PATCH', 'PUT', 'POST']);
done.push('instance');

const patient = `urn:uuid:${randomUUID()}`;
const entry = [{
  fullUrl: patient,
  resource: { resourceType: 'Patient', name: [{ family: 'Li' }] },
  request: { method: 'POST', url: 'Patient' },
}];
for (let day = 1; day <= 7; day += 1) {
  entry.push({
    resource: {
      resourceType: 'Observation', status: 'final', code: { text: 'Hb' }, subject: { reference: patient },
      effectiveDateTime: `2024-05-0${day}`, valueQuantity: { value: day + 0.5, unit: 'g/L' },
    },
    request: { method: 'POST', url: 'Observation' },
  });
}
const result = await client.transaction({ body: { resourceType: 'Bundle', type: 'transaction', entry } });
assert.equal(result.type, 'transaction-response');
const id = result.entry[0].response.location.split('/')[1];
done.push('transaction');

let bundle = await client.search({
  resourceType: 'Observation', searchParams: { patient: id, _sort: '-date', _count: '3' },
});
const days = [];
while (bundle) {
  days.push(...bundle.entry.map((e) => e.resource.effectiveDateTime.slice(-1)));
  bundle = await client.nextPage({ bundle });
}
assert.deepEqual(days, ['7', '6', '5', '4', '3', '2', '1']);
const own = await client.search({ resourceType: 'Observation', compartment: { resourceType: 'Patient', id } });
assert.equal(own.entry.length, 7);
const posted = await client.search({
  resourceType: 'Observation', searchParams: { patient: id }, options: { postSearch: true },
});
assert.equal(posted.entry.length, 7);
const everything = await client.operation({ name: 'everything', resourceType: 'Patient', id, method: 'GET' });
assert.equal(everything.entry.length, 8);
const subject = await client.resolve({ reference: own.entry[0].resource.subject.reference });
assert.equal(subject.id, id);
done.push('search');

const batch = await client.batch({
  body: {
    resourceType: 'Bundle', type: 'batch',
    entry: [
      { request: { method: 'GET', url: `Patient/${id}` } },
      { request: { method: 'GET', url: 'Patient/none' } },
    ],
  },
});
assert.deepEqual(batch.entry.map((e) => e.response.status.slice(0, 3)), ['200', '404']);
await client.delete({ resourceType: 'Patient', id: made.id });
await assert.rejects(
  client.read({ resourceType: 'Patient', id: made.id }),
  (error) => error.response.status === 410 && error.response.data.resourceType === 'OperationOutcome',
);
done.push('batch and delete');
console.log(JSON.stringify(done));
