import { call, newPrompt } from '../support/api.ts';
import { PROJECT } from '../support/demo.ts';
import { expect, expectNoAxeFindings, settled, signIn, test } from '../support/test.ts';

const CSV = [
  'text,expected,__tags,__must_pass',
  'Where is my parcel?,shipping,smoke,',
  'I want my money back,refund,smoke,perhaps',
  'Do you deliver to Norway?,shipping,topic:abroad,',
].join('\n');

// A prompt whose newest version asks for one text.
async function promptWithText(): Promise<string> {
  const name = await newPrompt([]);
  const content = {
    type: 'text', messages: [{ role: 'user', content: 'Say what {{text}} is about.' }],
    variables: [{ name: 'text', type: 'string', max_length: 500 }],
  };
  const path = `/prompts/${encodeURIComponent(name)}/versions`;
  expect((await call('POST', path, { content, change_description: 'first' })).status).toBe(201);
  return name;
}

test('a problem is reported from the prompt itself and becomes a case', async ({ page, javaScriptEnabled }) => {
  const prompt = await promptWithText();
  const suite = await call('POST', '/suites', { name: `Mistakes ${prompt}`, prompt, scorers: [{ type: 'icontains' }] });
  await signIn(page, 'editor');
  await page.goto(`${PROJECT}/prompts/${prompt}`);
  await settled(page, javaScriptEnabled!);
  await page.getByRole('link', { name: 'Report a problem' }).click();
  const dialog = page.getByRole('dialog', { name: 'Report a problem' });
  await dialog.getByRole('textbox', { name: /^text/ }).fill('The box came broken');
  await dialog.getByRole('textbox', { name: 'Expected' }).fill('damage');
  await dialog.getByRole('textbox', { name: 'What went wrong' }).fill('It said shipping');
  await dialog.getByRole('button', { name: 'Report' }).click();
  await expect(page).not.toHaveURL(/case=/);
  await expect(page.locator('table tbody tr')).toContainText('The box came broken');
  const cases = await call('GET', `/suites/${suite.body.id}/cases`);
  expect(cases.body.items).toHaveLength(1);
  expect(cases.body.items[0]).toMatchObject({ origin: 'report', expected: 'damage', note: 'It said shipping' });
});

test('a suite is created, filled, imported into, edited and exported', async ({ page, javaScriptEnabled }) => {
  const prompt = await promptWithText();
  const name = `Topics ${prompt}`;
  await signIn(page, 'editor');
  await page.goto(`${PROJECT}/suites`);
  await settled(page, javaScriptEnabled!);
  await page.getByRole('link', { name: 'New suite' }).first().click();
  await page.getByRole('textbox', { name: 'Name' }).fill(name);
  await page.getByRole('dialog').getByLabel('Prompt').fill(prompt);
  await page.getByRole('radio', { name: /contains what is expected/ }).check();
  await page.getByRole('button', { name: 'Create suite' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(name);
  await expect(page.getByText('No cases yet')).toBeVisible();
  const id = page.url().match(/suites\/([0-9a-f-]+)/)![1]!;

  // A case by hand.
  await page.getByRole('link', { name: 'Add a case' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('textbox', { name: /^text/ }).fill('My order never arrived');
  await dialog.getByRole('textbox', { name: 'Expected' }).fill('shipping');
  await dialog.getByRole('checkbox', { name: /must-pass/ }).check();
  await dialog.getByRole('button', { name: 'Add case' }).click();
  const rows = page.locator('table tbody tr');
  await expect(rows).toHaveCount(1);
  await expect(rows.first()).toContainText('My order never arrived');
  await expect(rows.first()).toContainText('must-pass');

  // A file with one row that cannot be read.
  await page.getByRole('navigation', { name: 'Suite' }).getByRole('link', { name: 'Import' }).click();
  await page.getByRole('textbox', { name: 'Its text' }).fill(CSV);
  if (javaScriptEnabled) {
    await page.getByRole('button', { name: 'Preview' }).click();
    await expect(page.getByText('2 cases would be added; the suite would hold 3 cases.')).toBeVisible();
    await expect(page.getByText('__must_pass: must be true or false')).toBeVisible();
    await expectNoAxeFindings(page);
    await page.getByRole('button', { name: 'Add 2 cases, leave out 1 row' }).click();
  } else {
    await page.getByRole('button', { name: 'Add cases' }).click();
    await expect(page.getByText(/nothing was added; 2 of its rows are fine. row 2: __must_pass/)).toBeVisible();
    await page.getByRole('textbox', { name: 'Its text' }).fill(CSV);
    await page.getByRole('checkbox', { name: /Leave out rows/ }).check();
    await page.getByRole('button', { name: 'Add cases' }).click();
  }
  await expect(rows).toHaveCount(3);

  // An edit, in the row's own address.
  await rows.nth(1).getByRole('link').click();
  await expect(page).toHaveURL(/case=2/);
  await dialog.getByRole('textbox', { name: 'Expected' }).fill('delivery');
  if (javaScriptEnabled) await expectNoAxeFindings(page);
  await dialog.getByRole('button', { name: 'Save case' }).click();
  await expect(page).not.toHaveURL(/case=/);
  await expect(rows.nth(1)).toContainText('delivery');

  // Only those with a tag, and one taken out.
  await page.getByRole('link', { name: 'smoke', exact: true }).click();
  await expect(rows).toHaveCount(1);
  await page.goto(`${PROJECT}/suites/${id}?case=3`);
  await settled(page, javaScriptEnabled!);
  await dialog.getByRole('button', { name: 'Remove' }).click();
  await page.getByRole('button', { name: 'Remove case' }).click();
  await expect(rows).toHaveCount(2);

  // What was changed when.
  await page.getByRole('navigation', { name: 'Suite' }).getByRole('link', { name: /Revisions/ }).click();
  await expect(rows.first()).toContainText('case 3 removed');

  const file = await page.request.get(`/api/v1/suites/${id}/export?project=demo&format=csv`);
  expect(file.status()).toBe(200);
  expect(await file.text()).toContain('Where is my parcel?,delivery,smoke');
});

test('scorers are changed row by row, and a wrong one is named', async ({ page, javaScriptEnabled, complaints }) => {
  const prompt = await promptWithText();
  const suite = await call('POST', '/suites', { name: `Scored ${prompt}`, prompt, scorers: [{ type: 'equals' }] });
  await signIn(page, 'editor');
  await page.goto(`${PROJECT}/suites/${suite.body.id}?tab=scorers`);
  await settled(page, javaScriptEnabled!);
  const second = page.locator('tbody tr').nth(1);
  await second.getByLabel('Type').selectOption('latency');
  await page.getByRole('button', { name: 'Save scorers' }).click();
  await expect(page.getByText('Row 2, threshold: Is required, in milliseconds.')).toBeVisible();
  await second.getByLabel('Type').selectOption('latency');
  await second.getByLabel('Threshold').fill('2000');
  await page.getByRole('button', { name: 'Save scorers' }).click();
  await expect(page.locator('.page-header')).toContainText('takes at most 2000 ms');
  // The browser reports the refusal's own status.
  expect(complaints.splice(0).filter((line) => !line.includes('status of 422'))).toEqual([]);
});

test('somebody who was overtaken is told so, and nothing is lost', async ({ page, javaScriptEnabled, complaints }) => {
  const prompt = await promptWithText();
  const suite = await call('POST', '/suites', { name: `Shared ${prompt}`, prompt, scorers: [{ type: 'equals' }] });
  const path = `/suites/${suite.body.id}/cases`;
  const added = await call('POST', path, [{ variables: { text: 'one' }, expected: 'a', tags: [] }]);
  await signIn(page, 'editor');
  await page.goto(`${PROJECT}/suites/${suite.body.id}?case=1`);
  await settled(page, javaScriptEnabled!);
  const changed = { variables: { text: 'one' }, expected: 'theirs', tags: [] };
  expect((await call('PUT', `${path}/${added.body.ids[0]}`, changed)).status).toBe(200);
  const expected = page.getByRole('dialog').getByRole('textbox', { name: 'Expected' });
  await expected.fill('mine');
  await page.getByRole('button', { name: 'Save case' }).click();
  await expect(page.getByText(/Somebody changed this case meanwhile/)).toBeVisible();
  if (javaScriptEnabled) await expect(expected).toHaveValue('mine');
  expect(complaints.splice(0).filter((line) => !line.includes('status of 409'))).toEqual([]);
});

test('a viewer reads cases and changes nothing', async ({ page }) => {
  const prompt = await promptWithText();
  const suite = await call('POST', '/suites', { name: `Read ${prompt}`, prompt, scorers: [{ type: 'equals' }] });
  await call('POST', `/suites/${suite.body.id}/cases`, [{ variables: { text: 'one' }, expected: 'a', tags: [] }]);
  await signIn(page, 'viewer');
  await page.goto(`${PROJECT}/suites/${suite.body.id}`);
  await expect(page.getByRole('link', { name: 'Add a case' })).toHaveCount(0);
  await page.goto(`${PROJECT}/suites/${suite.body.id}?case=1`);
  await expect(page.getByRole('dialog').getByRole('textbox', { name: 'Expected' })).toHaveValue('a');
  await expect(page.getByRole('button', { name: 'Save case' })).toHaveCount(0);
});

test('an admin adds a local provider, and an address that is none is refused beside the field', async ({ page, javaScriptEnabled, complaints }) => {
  const name = `local-${Date.now().toString(36)}-${javaScriptEnabled ? 'h' : 'n'}`;
  await signIn(page, 'admin');
  await page.goto(`${PROJECT}/settings/providers`);
  await settled(page, javaScriptEnabled!);
  await page.getByRole('textbox', { name: 'Name' }).fill(name);
  await page.getByRole('combobox', { name: 'Address' }).fill('http://127.0.0.1:11434/v1?key=1');
  await page.getByRole('button', { name: 'Add provider' }).click();
  await expect(page.getByText('Must not hold `?` or `#`')).toBeVisible();
  await page.getByRole('textbox', { name: 'Name' }).fill(name);
  await page.getByRole('combobox', { name: 'Address' }).fill('http://127.0.0.1:11434/v1');
  await page.getByRole('button', { name: 'Add provider' }).click();
  const row = page.getByRole('row').filter({ hasText: name });
  await expect(row).toContainText('none kept');
  await row.getByRole('link', { name: /Change/ }).click();
  await expect(page.getByRole('heading', { name: `Change ${name}` })).toBeVisible();
  await page.getByLabel('Calls at a time').fill('4');
  await page.getByRole('button', { name: 'Save provider' }).click();
  await expect(row).toContainText('4');
  expect(complaints.splice(0).filter((line) => !line.includes('status of 422'))).toEqual([]);
});
