import csv

from factory import baseline, record, result

from glocalk.report.results import results_csv


def test_columns_and_values_of_a_row():
    held = {"best_test": result(0.8901, 7), "validated": result(0.9, 5)}
    made = record(protocols=held, seconds={"total": 61.26, "final": 30.0}, config_hash="c0ffee")
    text = results_csv([made])
    header, row, *_ = text.splitlines()
    assert header == (
        "experiment,data,split,train_share,model,variant,settings_from,seed,protocol,rmse,mae,"
        "ndcg,rmse_epoch,mae_epoch,ndcg_epoch,seconds,peak_rss_mb,parameters,threads,device,"
        "config_hash,model_version,commit"
    )
    assert row == (
        "table1,ml_100k,u1,1,glocal_k,default,paper,0,best_test,0.890100,0.690100,0.900000,"
        "7,7,7,61.3,512.2,1000,2,cpu,c0ffee,1,abc123"
    )


def test_a_row_per_run_and_protocol_whatever_order_records_come_in():
    records = [record(seed=10), record(seed=2, held_out=None), baseline()]
    text = results_csv(records)
    assert text == results_csv(records[::-1])
    rows = [(r["model"], r["seed"], r["protocol"]) for r in csv.DictReader(text.splitlines())]
    without_held_out = ["best_test", "validated", "last", "official"]
    assert rows == [
        *(("bias", "0", protocol) for protocol in without_held_out),
        *(("glocal_k", "2", protocol) for protocol in without_held_out),
        *(
            ("glocal_k", "10", protocol)
            for protocol in ("best_test", "validated", "held_out", "last", "official")
        ),
    ]


def test_official_is_by_the_rule_of_the_published_figure():
    made = record(model="sparse_fc", best=0.88, official=0.905)
    rows = {row["protocol"]: row for row in csv.DictReader(results_csv([made]).splitlines())}
    assert rows["official"]["rmse"] == rows["best_test"]["rmse"] == "0.880000"


def test_what_a_run_does_not_have_is_empty():
    made = baseline(parameters=None, commit=None, train_share=0.25)
    row = next(csv.DictReader(results_csv([made]).splitlines()))
    assert row["rmse_epoch"] == row["parameters"] == row["commit"] == ""
    assert row["train_share"] == "0.25"
