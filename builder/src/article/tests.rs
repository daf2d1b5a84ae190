//! Small tables of every kind that articles have, and of some that they may have.

mod unusual;

use super::source::lines;
use super::table::tables;

/// Shows the tables of a text: the heading, then for each row date, time, version, size, name and platform.
fn shown(text: &str) -> String {
    let mut shown = String::new();
    for table in tables(&lines(text.as_bytes()).unwrap()).unwrap() {
        shown.push_str(&format!("# {}\n", table.heading.as_deref().unwrap_or("-")));
        for row in table.rows {
            let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
            let values = [
                or_none(&row.date),
                or_none(&row.time),
                or_none(&row.version),
                or_none(&row.size),
                row.file.clone(),
                or_none(&row.platform),
            ];
            shown.push_str(&format!("{}\n", values.join(" | ")));
        }
    }
    shown
}

/// Holds the tables of each text against what they are.
fn each(cases: &[(&str, &str)]) {
    let mut wrong = String::new();
    for (text, wanted) in cases {
        let found = shown(text);
        if found != wanted.trim_start_matches('\n') {
            wrong.push_str(&format!("---\n{text}\n--- is read as\n{found}--- and not as{wanted}\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn columns_stand_in_any_order_and_values_may_be_missing() {
    each(&[
        (
            "The fix has these files:\n\n   Size     Version      File name    Platform   Date       Time\n   \
             -----------------------------------------------------------\n   12,345   1.2.3.4      Abc.dll      x86        \
             1/2/2000   3:04PM\n   67                    Abc.ini                 1/2/2000   3:05PM\n",
            "
# The fix has these files:
1/2/2000 | 3:04PM | 1.2.3.4 | 12,345 | Abc.dll | x86
1/2/2000 | 3:05PM | - | 67 | Abc.ini | -
",
        ),
        (
            "   File name   Version\n   -------------------\n   Store.exe   5.5.2652.80\n   Ese.dll     5.5.2652.80\n\nText.\n",
            "
# -
- | - | 5.5.2652.80 | - | Store.exe | -
- | - | 5.5.2652.80 | - | Ese.dll | -
",
        ),
        (
            "   Platform  Version   Date      File name\n   Intel     7.00.700  1/2/99    Sqlservr.exe\n             7.00.700  1/3/99    \
             Ums.dll\n   Alpha     7.00.700  1/2/99    Sqlservr.exe\n",
            "
# -
1/2/99 | - | 7.00.700 | - | Sqlservr.exe | Intel
1/3/99 | - | 7.00.700 | - | Ums.dll | -
1/2/99 | - | 7.00.700 | - | Sqlservr.exe | Alpha
",
        ),
        (
            "   Date      Time   Version  Size     File name     Platform\n   8/1/00    11:32  786      100 KB   Abc.dll       Intel\n   \
             8/1/00    11:33  -        --       Def.dll       n/a\n",
            "
# -
8/1/00 | 11:32 | 786 | 100 KB | Abc.dll | Intel
8/1/00 | 11:33 | - | - | Def.dll | -
",
        ),
        (
            "   Date        Time     Version  Size  File name\n   --------------------\n   01/02/2000  3:04 PM  1.2.3.4  5,678 Abc.dll   (x86)\n   \
             01/02/2000  3:05 PM  1.2.3.4  9,678 Abc.dll   (Alpha)\n",
            "
# -
01/02/2000 | 3:04 PM | 1.2.3.4 | 5,678 | Abc.dll | (x86)
01/02/2000 | 3:05 PM | 1.2.3.4 | 9,678 | Abc.dll | (Alpha)
",
        ),
        (
            // The heading is in another order than the rows.
            "   Date    Time    Size   Version   File name\n   1/2/99  3:04p   1.2.3.4  12,345  Abc.dll\n",
            "
# -
1/2/99 | 3:04p | 1.2.3.4 | 12,345 | Abc.dll | -
",
        ),
    ]);
}

#[test]
fn days_times_and_sizes_are_taken_as_printed() {
    each(&[(
        "   Date                Time       Size         File name\n   -----\n   28-Jan-2000         10:49a     143 KB       A.dll\n   \
         January 28, 2000    22:49      1.33 MB      B.dll\n   2000-01-28          10:49 A.M. 12,345 bytes C.dll\n   \
         28 January 2000     22:49:01   29K          D.dll\n   12/20/199           5:18PM     67           E.dll\n   \
         Jan. 28, 2000       5:18p      8,1012       F.dll\n",
        "
# -
28-Jan-2000 | 10:49a | - | 143 KB | A.dll | -
January 28, 2000 | 22:49 | - | 1.33 MB | B.dll | -
2000-01-28 | 10:49 A.M. | - | 12,345 bytes | C.dll | -
28 January 2000 | 22:49:01 | - | 29K | D.dll | -
12/20/199 | 5:18PM | - | 67 | E.dll | -
Jan. 28, 2000 | 5:18p | - | 8,1012 | F.dll | -
",
    )]);
}

#[test]
fn a_value_that_is_none_does_not_lose_the_row() {
    each(&[(
        "   Date        Time    Version   Size     File name    Platform\n   -----\n   unknown     3:04p   1.2.3.4   1,234    Abc.dll      Intel\n   \
         1/2/99      3:04p   1.2.3.4   1.5      Abc.dll      Alpha\n   1/2/99      3:04p   see below 67       Abc.ini\n   1/3/99      3:04p   1.2.3.4   5,678    Def.dll      Alpha\n",
        "
# -
unknown | 3:04p | 1.2.3.4 | 1,234 | Abc.dll | Intel
1/2/99 | 3:04p | 1.2.3.4 | 1.5 | Abc.dll | Alpha
1/3/99 | 3:04p | 1.2.3.4 | 5,678 | Def.dll | Alpha
",
    )]);
}

#[test]
fn names_may_have_paths_blanks_and_no_ending() {
    each(&[(
        "   Date     Size    File name\n   1/2/99   1,234   Bin\\i386\\Abc.dll\n   1/2/99   1,234   Read Me.txt\n   1/2/99   1,234   \
         Invmac\n   1/2/99   1,234   Abc.dl_\n   1/2/99   1,234   %SystemRoot%\\System32\\Abc.sys\n",
        "
# -
1/2/99 | - | - | 1,234 | Bin\\i386\\Abc.dll | -
1/2/99 | - | - | 1,234 | Read Me.txt | -
1/2/99 | - | - | 1,234 | Invmac | -
1/2/99 | - | - | 1,234 | Abc.dl_ | -
1/2/99 | - | - | 1,234 | %SystemRoot%\\System32\\Abc.sys | -
",
    )]);
}

#[test]
fn lines_that_are_broken_are_put_together() {
    each(&[
        (
            "   Date         Time   Version        Size       File name     Platform\n   --------\n   01-Mar-2001  22:35  2.0.1493.3219  \
             1,938,704\n   Clibase.dll   Alpha\n   01-Mar-2001  22:35  2.0.1493.3219  1,938,705  Clisvcl.exe\n   Alpha\n   \
             01-Mar-2001  22:35  2.0.1493.3219  1,223,584  Clibase.dll   I386\n",
            "
# -
01-Mar-2001 | 22:35 | 2.0.1493.3219 | 1,938,704 | Clibase.dll | Alpha
01-Mar-2001 | 22:35 | 2.0.1493.3219 | 1,938,705 | Clisvcl.exe | Alpha
01-Mar-2001 | 22:35 | 2.0.1493.3219 | 1,223,584 | Clibase.dll | I386
",
        ),
        (
            "   File name                      Version        Size\n   ------\n   Averylongfilenameindeed.dll\n                                  \
             2.0.1493.3219  1,234\n   Abc.dll                        2.0.1493.3220  5,678\n",
            "
# -
- | - | 2.0.1493.3219 | 1,234 | Averylongfilenameindeed.dll | -
- | - | 2.0.1493.3220 | 5,678 | Abc.dll | -
",
        ),
    ]);
}

#[test]
fn pages_break_within_tables() {
    each(&[(
        "The files:\n   Date     Size    File name\n   ----------\n   1/2/99   1,234   Abc.dll\n\n   Page 2 of 3\n\u{c}\n   Date     Size    \
         File name\n   ----------\n   1/2/99   5,678   Def.dll\n                  - 3 -\n   1/2/99   9,678   Ghi.dll\nText Jkl.dll.\n",
        "
# The files:
1/2/99 | - | - | 1,234 | Abc.dll | -
1/2/99 | - | - | 5,678 | Def.dll | -
1/2/99 | - | - | 9,678 | Ghi.dll | -
",
    )]);
}

#[test]
fn tables_of_languages_service_packs_and_platforms_are_told_apart() {
    each(&[
        (
            "The English version has the following files:\n\n   Date     Size    File name\n   ------\n   1/2/99   1,234   Abc.dll\n\nThe \
             French version has the following files:\n\n   Date     Size    File name\n   ------\n   1/2/99   1,235   Abc.dll\n",
            "
# The English version has the following files:
1/2/99 | - | - | 1,234 | Abc.dll | -
# The French version has the following files:
1/2/99 | - | - | 1,235 | Abc.dll | -
",
        ),
        (
            "Files:\n   Date     Size    File name\n   ------\n   Intel:\n   1/2/99   1,234   Abc.dll\n\n   Alpha:\n   1/2/99   5,678   Abc.dll\n",
            "
# Files:
1/2/99 | - | - | 1,234 | Abc.dll | Intel
1/2/99 | - | - | 5,678 | Abc.dll | Alpha
",
        ),
        (
            "Files:\n   Date     Size    File name\n   ------\n   Service Pack 1:\n   1/2/99   1,234   Abc.dll\n\n   Service Pack 2:\n   \
             1/2/99   5,678   Abc.dll\n",
            "
# Service Pack 1:
1/2/99 | - | - | 1,234 | Abc.dll | -
# Service Pack 2:
1/2/99 | - | - | 5,678 | Abc.dll | -
",
        ),
        (
            "   Intel                         Alpha\n   Date    Size   File name      Date    Size   File name\n   ----------------------------  \
             ------------------------\n   1/2/99  1,234  Abc.dll        1/3/99  5,678  Abc.dll\n   1/2/99  67     Abc.ini\n",
            "
# Intel
1/2/99 | - | - | 1,234 | Abc.dll | Intel
1/2/99 | - | - | 67 | Abc.ini | Intel
# Alpha
1/3/99 | - | - | 5,678 | Abc.dll | Alpha
",
        ),
        (
            "                  Intel                 Alpha\n   File name      Version     Size      Version     Size\n   -----\n   Abc.dll        \
             1.2.3.4     1,234     1.2.3.5     5,678\n",
            "
# Intel Alpha
- | - | 1.2.3.4 | 1,234 | Abc.dll | Intel
- | - | 1.2.3.5 | 5,678 | Abc.dll | Alpha
",
        ),
        (
            "Platform: Intel\n\n   Date    Size   File name\n   1/2/99  1,234  Abc.dll\n\n* 1/3/99  1,235  Def.dll  *\n\nPlatform: Alpha\n\n   Date    Size   \
             File name\n   1/2/99  5,678  Abc.dll\n",
            "
# Platform: Intel
1/2/99 | - | - | 1,234 | Abc.dll | Intel
1/3/99 | - | - | 1,235 | Def.dll | Intel
# Platform: Alpha
1/2/99 | - | - | 5,678 | Abc.dll | Alpha
",
        ),
        (
            "   File name   Version   Intel size   Alpha size\n   -----\n   Abc.dll     1.2.3.4   1,234        5,678\n   Def.dll     1.2.3.4   \
             1,234        -\n",
            "
# -
- | - | 1.2.3.4 | 1,234 | Abc.dll | Intel
- | - | 1.2.3.4 | 5,678 | Abc.dll | Alpha
- | - | 1.2.3.4 | 1,234 | Def.dll | Intel
",
        ),
    ]);
}

#[test]
fn tabs_bars_and_hard_blanks_are_columns_too() {
    each(&[
        (
            "Date\tTime\tVersion\tSize\tFile name\tPlatform\n1/2/99\t3:04p\t\t67\tAbc.ini\t\n1/2/99\t3:04p\t1.2.3.4\t1,234\tAbc.dll\tIntel\n",
            "
# -
1/2/99 | 3:04p | - | 67 | Abc.ini | -
1/2/99 | 3:04p | 1.2.3.4 | 1,234 | Abc.dll | Intel
",
        ),
        (
            "| Date | Time | Version | Size | File name | Platform |\n|---|---|---|---|---|---|\n| 1/2/99 | 3:04p | | 67 | Abc.ini | |\n| \
             1/2/99 | 3:04p | 1.2.3.4 | 1,234 | `Abc.dll` | Intel |\n",
            "
# -
1/2/99 | 3:04p | - | 67 | Abc.ini | -
1/2/99 | 3:04p | 1.2.3.4 | 1,234 | Abc.dll | Intel
",
        ),
        (
            "\u{a0}\u{a0}\u{a0}Date\u{a0}\u{a0}\u{a0}\u{a0}Size\u{a0}\u{a0}File\u{a0}name\n\u{a0}\u{a0}\u{a0}1/2/99\u{a0}\u{a0}1,234\u{a0}Abc.dll\n",
            "
# -
1/2/99 | - | - | 1,234 | Abc.dll | -
",
        ),
    ]);
}

#[test]
fn pages_are_read_as_texts_are() {
    each(&[
        (
            "<html><body><p>The <b>English</b> version of this fix should have the following file attributes or later:</p><table \
             border=1><tr><th>Date</th><th>Time</th><th>Version</th><th>Size</th><th>File name</th><th>Platform</th></tr><tr><td>1/2/99<td>3:04p\
             <td>&nbsp;<td>67<td>Abc.ini<td>&nbsp;</tr><tr><td>1/2/99<td>3:04p<td>1.2.3.4<td>1,234<td>Abc.dll<td rowspan=2>Intel</tr><tr><td>1/2/99\
             <td>3:05p<td>1.2.3.4<td>1,235<td>Def.dll</tr></table><p>NOTE: Abc.dll 1.2.3.4</p>",
            "
# The English version of this fix should have the following file attributes or later:
1/2/99 | 3:04p | - | 67 | Abc.ini | -
1/2/99 | 3:04p | 1.2.3.4 | 1,234 | Abc.dll | Intel
1/2/99 | 3:05p | 1.2.3.4 | 1,235 | Def.dll | Intel
",
        ),
        (
            "<html><PRE>   Date     Size    File name\n   ----------\n   1/2/99   1,234   Abc.dll\n</PRE>",
            "
# -
1/2/99 | - | - | 1,234 | Abc.dll | -
",
        ),
        (
            "<html><table><tr><td>File name</td><td>Date and time</td><td>Size</td></tr><tr><td>Abc.dll</td><td>1/2/99 3:04 \
             PM</td><td>1,234</td></tr><tr><td colspan=3>Alpha</td></tr><tr><td>Abc.dll</td><td>1/2/99 3:05 PM</td><td>5,678</td></tr></table>",
            "
# -
1/2/99 | 3:04 PM | - | 1,234 | Abc.dll | -
1/2/99 | 3:05 PM | - | 5,678 | Abc.dll | Alpha
",
        ),
        (
            "<html><p>The fix has the following files:<table><tr><td>1/2/99<td>3:04p<td>1,234<td>Abc.dll</tr></table>",
            "
# The fix has the following files:
1/2/99 | 3:04p | - | 1,234 | Abc.dll | -
",
        ),
    ]);
}

#[test]
fn tables_without_a_heading_are_read_where_a_sentence_announces_them() {
    each(&[
        (
            "This fix should have the following time stamp:\n\n   02/12/98  12:04p            40,208 Abc.sys (x86)\n   02/12/98  12:05p            \
             60,208 Abc.sys (Alpha)\n\nText.\n",
            "
# This fix should have the following time stamp:
02/12/98 | 12:04p | - | 40,208 | Abc.sys | (x86)
02/12/98 | 12:05p | - | 60,208 | Abc.sys | (Alpha)
",
        ),
        (
            "   Directory of C:\\Temp\n\n   02/12/98  12:04p            40,208 Abc.sys\n   02/12/98  12:05p   <DIR>     Def\n",
            "",
        ),
    ]);
}

#[test]
fn nothing_is_invented() {
    each(&[
        ("The file Abc.dll version 1.2.3.4 of 1/2/99 has 1,234 bytes.\n", ""),
        ("   Value Name: Full Version\n   Data Type: REG_SZ\n   Data: 2.00.1380.1000\n", ""),
        ("   File name   Description\n   --------\n   Abc.dll     The library of 1/2/99\n", ""),
        ("Date   Time   Size   File name\n\nNo files follow.\n", ""),
        (
            "File name      Date/Time         Size    Location\nAbc.bin        07-14-95 12:00am  64,135  C:\\ and others\n\nWindows 95 with more:\n\n\
             File name      Date/Time         Size    Location\nAbc.bin        07-15-95 12:00am  64,136  C:\\ and others\n",
            "
# -
07-14-95 | 12:00am | - | 64,135 | Abc.bin | -
# Windows 95 with more:
07-15-95 | 12:00am | - | 64,136 | Abc.bin | -
",
        ),
        ("Sample output of the tool:\n\n   Name      Size    Date\n   Abc.dll   1,234   1/2/99\n", ""),
        (
            "   File name   Version\n   -------\n   Abc.dll     1.2.3.4\n\nDef.dll is replaced by version 1.2.3.4 of the fix.\n1. Copy Abc.dll.\n   \
             Ghi.dll\n",
            "
# -
- | - | 1.2.3.4 | - | Abc.dll | -
",
        ),
        ("   PROPERTY <Bin\\i386\\Ccim32.dll><Client Application><><2>\n", ""),
        ("Installation Started 9/8/00 9:29:28\nFile Overwrite: E:\\SMS\\LOGS\\Q252717r.txt\n", ""),
    ]);
}

#[test]
fn the_layouts_of_other_products_are_read_too() {
    each(&[
        (
            "The English version of this fix should have the following file attributes or later:\n\n   Date         Time   Version            Size    File \
             name      Encryption\n   --------------------------------------------------------------\n   26-Nov-2002  21:46  5.0.2195.6104     123,664  \
             Adsldp.dll\n   17-Oct-2000  12:14  5.0.2195.2493     502,032  Lsasrv.dll     128-bit\n",
            "
# The English version of this fix should have the following file attributes or later:
26-Nov-2002 | 21:46 | 5.0.2195.6104 | 123,664 | Adsldp.dll | -
17-Oct-2000 | 12:14 | 5.0.2195.2493 | 502,032 | Lsasrv.dll | -
",
        ),
        (
            "   Component: Information Store\n\n   File name     Version\n   -----------------------\n   Store.exe     5.5.2652.80\n\n   Component: \
             Directory\n\n   File name     Version\n   -----------------------\n   Dsamain.exe   5.5.2652.81\n",
            "
# Component: Information Store
- | - | 5.5.2652.80 | - | Store.exe | -
# Component: Directory
- | - | 5.5.2652.81 | - | Dsamain.exe | -
",
        ),
        (
            "   Date        Time     Version     Size    File name     Platform  Path\n   -------\n   01/02/2000  03:04a   7.00.842    1,234   \
             Sqlsort.dll   x86       Binn\\Folder\n   01/02/2000  03:04a   7.00.842    5,678   Sqlsort.dll   Alpha     Binn\n",
            "
# -
01/02/2000 | 03:04a | 7.00.842 | 1,234 | Sqlsort.dll | x86
01/02/2000 | 03:04a | 7.00.842 | 5,678 | Sqlsort.dll | Alpha
",
        ),
        (
            "   File Name      Size (bytes)   Date        Time       Version\n   Abc.vxd        12345          02/03/1998  10:11:12   4.00.1112\n",
            "
# -
02/03/1998 | 10:11:12 | 4.00.1112 | 12345 | Abc.vxd | -
",
        ),
        (
            "                               File\n   Date     Time     Size      Name        Platform\n   ------------------------------------\n   1/2/99   \
             3:04p    1,234     Abc.dll     x86, Alpha\n",
            "
# -
1/2/99 | 3:04p | - | 1,234 | Abc.dll | x86, Alpha
",
        ),
    ]);
}
