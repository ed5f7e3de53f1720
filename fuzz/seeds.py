#!/usr/bin/env python3
"""Sound files to begin fuzzing with, into fuzz/corpus.

Needs `clv` on the path or in CLV for Parquet and ledgers, and polars for Arrow.
"""

import os
import pathlib
import subprocess
import zipfile

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"
CLV = os.environ.get("CLV", "clv")


def seed(target, name, data):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())


def sheet(rows):
    cells = lambda row: "".join(
        f'<c t="n"><v>{c}</v></c>' if isinstance(c, (int, float)) else f'<c t="inlineStr"><is><t>{c}</t></is></c>' for c in row)
    body = "".join(f"<row>{cells(row)}</row>" for row in rows)
    return f'<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{body}</sheetData></worksheet>'


def xlsx(path, rows):
    main = "http://schemas.openxmlformats.org"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as z:
        z.writestr("[Content_Types].xml", f'<?xml version="1.0"?><Types xmlns="{main}/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/></Types>')
        z.writestr("_rels/.rels", f'<?xml version="1.0"?><Relationships xmlns="{main}/package/2006/relationships"><Relationship Id="r1" Type="{main}/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>')
        z.writestr("xl/workbook.xml", f'<?xml version="1.0"?><workbook xmlns="{main}/spreadsheetml/2006/main" xmlns:r="{main}/officeDocument/2006/relationships"><sheets><sheet name="a" sheetId="1" r:id="r1"/></sheets></workbook>')
        z.writestr("xl/_rels/workbook.xml.rels", f'<?xml version="1.0"?><Relationships xmlns="{main}/package/2006/relationships"><Relationship Id="r1" Type="{main}/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>')
        z.writestr("xl/worksheets/sheet1.xml", sheet(rows))


plain = "customer,date,amount\na,2024-01-31,1.50\n\"b; c\",31/01/2024,\"1,234.5\"\n,2024-02-01,7\na,2024-02-30,NaN\n"
seed("csv", "plain", plain)
seed("csv", "semicolons", plain.replace(",", ";").replace("\n", "\r\n"))
seed("csv", "cdnow", " 00001 19970101  1   11.77\n 00002 19970112  1   12.00\n")
seed("csv", "uci", "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID\nC1,X,-2,12/1/2010 8:26,2.5,17850\n")
seed("csv", "shopify", "Name,Email,Financial Status,Currency,Total,Created at,Lineitem quantity,Cancelled at,Refunded Amount\n#1,a@b.c,paid,EUR,3.00,2024-01-05 10:00:00 +0100,1,,1.00\n")
seed("csv", "utf16", ("\ufeff" + plain).encode("utf-16-le"))
event = '{"type":"track","event":"Order Completed","userId":"a","anonymousId":"d","messageId":"m1","timestamp":"2024-01-01T09:04:00Z","properties":{"order_id":"o","total":40.5,"currency":"USD","products":[{"product_id":"p","quantity":2}]}}\n'
seed("json_lines", "segment", event + event.replace("Order Completed", "Product Viewed") + '{"type":"identify","userId":"a","traits":{"age":3}}\n')
seed("json_lines", "plain", '{"customer":"a","date":"2024-01-31","amount":1.5}\n{"customer":7,"date":20240131,"amount":"2"}\n')
for i, text in enumerate(["2010-12-31", "31.12.2010 8:26 PM", "12/31/10", "31 Dec 2010", "20101231", "1293753600", "$1,234.5", "1.234,5-", "(2.5)"]):
    seed("values", str(i), text)
(CORPUS / "xlsx").mkdir(parents=True, exist_ok=True)
xlsx(CORPUS / "xlsx" / "plain", [["customer", "date", "amount"], ["a", "2024-01-31", 1.5], [7, 45322, "2"], ["", "", ""]])
try:
    import polars

    (CORPUS / "arrow").mkdir(parents=True, exist_ok=True)
    frame = polars.DataFrame({"customer": ["a", "b"], "date": ["2024-01-31", "2024-02-01"], "amount": [1.5, None]})
    for packing in ("uncompressed", "lz4", "zstd"):
        frame.write_ipc(CORPUS / "arrow" / f"file-{packing}", compression=packing)
        frame.write_ipc_stream(CORPUS / "arrow" / f"stream-{packing}", compression=packing)
except ImportError:
    print("without polars there is no seed for arrow")
for target in ("parquet", "ledger"):
    (CORPUS / target).mkdir(parents=True, exist_ok=True)
log = CORPUS / "seed.parquet"
subprocess.run([CLV, "simulate", "--customers", "5", "--start", "2024-01-01", "--end", "2024-03-01", "--output", log], check=True)
subprocess.run([CLV, "summarize", log, "--save", CORPUS / "ledger" / "plain", "--output", CORPUS / "seed.csv"], check=True)
log.rename(CORPUS / "parquet" / "plain")
(CORPUS / "seed.csv").unlink()
