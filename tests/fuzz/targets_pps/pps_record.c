/* pps_record.c - a datum record that can be read is written the same way ever after. */
#include "pps/record.h"

#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    DatumRecord record, again;
    RecordHead head;
    Bytes input = { data, size };
    Status status = record_unpack(&ctx, input, &record);
    if (!status_ok(status)) {
        PROP(status.code == STATUS_DATA_LOSS);
        return 0;
    }
    PROP(status_ok(record_unpack_head(&ctx, input, &head)) && hash_eq(&head.key, &record.head.key));
    CLEANUP(buf_done) Buf first = { 0 }, second = { 0 };
    record_pack(&record, &first);
    PROP(status_ok(record_unpack(&ctx, buf_bytes(&first), &again)));
    record_pack(&again, &second);
    PROP(bytes_eq(buf_bytes(&first), buf_bytes(&second)));
    return 0;
}
