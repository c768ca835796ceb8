import { beforeAll, describe, expect, it } from 'vitest';
import { doctorResult } from '../../src/cli/format/doctor-result.ts';
import { PLAIN } from '../../src/cli/format/style.ts';
import { type Diagnosis, doctor } from '../../src/index.ts';
import { nodeVersion } from '../../src/run/doctor/doctor.ts';

describe('doctor', () => {
  let diagnosis: Diagnosis;
  beforeAll(async () => {
    diagnosis = await doctor();
  }, 60_000);

  it('finds nothing wrong here, and the known bits inline and on threads', () => {
    expect(diagnosis.checks.filter(({ status }) => status === 'failed')).toEqual([]);
    expect(diagnosis.ok).toBe(true);
    expect(diagnosis.selfTest.map(({ engine }) => engine)).toEqual([...Array(2).fill('inline'), ...Array(6).fill('threads')]);
    for (const { sha256, expected } of diagnosis.selfTest) expect(sha256).toBe(expected);
    expect(diagnosis.readLimitGBps).toBeGreaterThan(0);
    expect(diagnosis.usableCores).toBeLessThanOrEqual(diagnosis.machineCores);
    const text = doctorResult(diagnosis, PLAIN, '1.2.3');
    expect(text).toMatch(/^paragrad 1\.2\.3 {2}/);
    expect(text.match(/✓/g)?.length).toBeGreaterThanOrEqual(6);
  });

  it.each([
    ['20.18.3', 'failed'],
    ['18.20.0', 'failed'],
    ['20.19.0', 'ok'],
    ['22.0.0', 'ok'],
  ])('Node.js %s is %s', (version, status) => {
    expect(nodeVersion(version).status).toBe(status);
  });

  it('says what is wrong', () => {
    const broken = {
      ...diagnosis,
      ok: false,
      checks: [{ name: 'SIMD', status: 'failed', found: 'does not work', remark: 'why' }],
    } as const;
    expect(doctorResult(broken, PLAIN, '1')).toContain('✗  SIMD  does not work  why\n\nSomething is wrong');
  });
});
