-- What the providers ask, as published, in USD per million tokens: data that an operator changes by
-- adding rows, never code. Where a provider asks nothing for writing its cache, `write_5m` is empty.
insert into price
    (provider, model, valid_from, input, write_5m, write_1h, read, output, min_cacheable_tokens, source)
select provider, model, valid_from::timestamptz, input, write_5m, write_1h, read, output, min_cacheable_tokens,
       case provider
           when 'anthropic' then 'platform.claude.com/docs: pricing, prompt caching'
           when 'openai' then 'platform.openai.com/docs: pricing, prompt caching'
           else 'ai.google.dev/gemini-api/docs: pricing, caching'
       end
from (values
    ('anthropic', 'claude-opus-4-6', '2026-02-05Z', 5, 6.25, 10, 0.5, 25, 4096),
    ('anthropic', 'claude-opus-4-5', '2025-11-24Z', 5, 6.25, 10, 0.5, 25, 4096),
    ('anthropic', 'claude-opus-4-1', '2025-08-05Z', 15, 18.75, 30, 1.5, 75, 1024),
    ('anthropic', 'claude-sonnet-4-6', '2026-02-17Z', 3, 3.75, 6, 0.3, 15, 1024),
    ('anthropic', 'claude-sonnet-4-5', '2025-09-29Z', 3, 3.75, 6, 0.3, 15, 1024),
    ('anthropic', 'claude-sonnet-4', '2025-05-22Z', 3, 3.75, 6, 0.3, 15, 1024),
    ('anthropic', 'claude-3-5-sonnet', '2024-06-20Z', 3, 3.75, 6, 0.3, 15, 1024),
    ('anthropic', 'claude-haiku-4-5', '2025-10-15Z', 1, 1.25, 2, 0.1, 5, 4096),
    ('anthropic', 'claude-3-5-haiku', '2024-11-04Z', 0.8, 1, 1.6, 0.08, 4, 2048),
    ('openai', 'gpt-5', '2025-08-07Z', 1.25, null, null, 0.125, 10, 1024),
    ('openai', 'gpt-5-mini', '2025-08-07Z', 0.25, null, null, 0.025, 2, 1024),
    ('openai', 'gpt-5-nano', '2025-08-07Z', 0.05, null, null, 0.005, 0.4, 1024),
    ('openai', 'gpt-4.1', '2025-04-14Z', 2, null, null, 0.5, 8, 1024),
    ('openai', 'gpt-4.1-mini', '2025-04-14Z', 0.4, null, null, 0.1, 1.6, 1024),
    ('openai', 'gpt-4.1-nano', '2025-04-14Z', 0.1, null, null, 0.025, 0.4, 1024),
    ('openai', 'gpt-4o', '2024-10-01Z', 2.5, null, null, 1.25, 10, 1024),
    ('openai', 'gpt-4o-mini', '2024-10-01Z', 0.15, null, null, 0.075, 0.6, 1024),
    ('google', 'gemini-2.5-pro', '2025-06-17Z', 1.25, null, null, 0.125, 10, 4096),
    ('google', 'gemini-2.5-flash', '2025-06-17Z', 0.3, null, null, 0.03, 2.5, 1024),
    ('google', 'gemini-2.5-flash-lite', '2025-07-22Z', 0.1, null, null, 0.01, 0.4, 1024)
) as list (provider, model, valid_from, input, write_5m, write_1h, read, output, min_cacheable_tokens);
