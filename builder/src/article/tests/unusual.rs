//! Tables in forms that few articles have.

use super::each;

#[test]
fn versions_and_sizes_in_unusual_forms_are_of_their_columns() {
    each(&[
        (
            "   Date    Time    Version           Size     File name    Platform\n   -----\n   1/2/99  6:30pm  1.2(build 786)    1,234    \
             Abc.dll      x86\n   1/2/99  6:31pm  1.2 (build 786)   5,678    Abc.dll      alpha\n   1/2/99  6:32pm  5.0:2195.2194     9,876    \
             Def.dll      x86\n   1/2/99  6:33pm  5.0.2195.3649 shp 6,543    Ghi.dll\n",
            "
# -
1/2/99 | 6:30pm | 1.2(build 786) | 1,234 | Abc.dll | x86
1/2/99 | 6:31pm | 1.2 (build 786) | 5,678 | Abc.dll | alpha
1/2/99 | 6:32pm | 5.0:2195.2194 | 9,876 | Def.dll | x86
1/2/99 | 6:33pm | 5.0.2195.3649 shp | 6,543 | Ghi.dll | -
",
        ),
        (
            "   Date    Time   Version    Size     File name    Platform\n   -----\n   1/2/99  22:20  4.02.0738  185.760  Infoabc.dll  x86\n   1/2/99  \
             22:20  4.02.0738  228.480 Abc.dll      x86\n",
            "
# -
1/2/99 | 22:20 | 4.02.0738 | 185.760 | Infoabc.dll | x86
1/2/99 | 22:20 | 4.02.0738 | 228.480 | Abc.dll | x86
",
        ),
        (
            "   File Date    Time           File Size   File Name\n   -----\n   01-17-1997   7:02:38p ----   352,256   Abc\\Def.exe\n",
            "
# -
01-17-1997 | 7:02:38p | - | 352,256 | Abc\\Def.exe | -
",
        ),
        (
            "   Date         Time     Size   File name      Platform\n   -----\n   22-FEB-2001  11:31    94.5   Abc.dll        i386\n",
            "
# -
22-FEB-2001 | 11:31 | - | 94.5 | Abc.dll | i386
",
        ),
    ]);
}

#[test]
fn columns_have_more_names() {
    each(&[
        (
            "   Date    Time   Version    Size   File name and path\n   -----\n   1/2/99  11:54  5.0.2.5    1,234  %Windir%\\Abc\\Def.dll\n",
            "
# -
1/2/99 | 11:54 | 5.0.2.5 | 1,234 | %Windir%\\Abc\\Def.dll | -
",
        ),
        (
            "+-----------------------------+\n| File name | Current version | \n+-----------------------------+\n| Abc.dll   | 5.5.2654.50     | \n\
             +-----------------------------+\n| Def.exe   | 5.5.2654.48     | \n+-----------------------------+\n",
            "
# -
- | - | 5.5.2654.50 | - | Abc.dll | -
- | - | 5.5.2654.48 | - | Def.exe | -
",
        ),
        (
            " File name  Version   Date/Time        Size    Folder installed in\n ------\n Abc.vxd    4.00.951  01/08/96 5:41PM  11,314  \
             Windows\\System\n Def.inf    -         04/22/96 3:14PM     835  Not copied to hard disk\n",
            "
# -
01/08/96 | 5:41PM | 4.00.951 | 11,314 | Abc.vxd | -
04/22/96 | 3:14PM | - | 835 | Def.inf | -
",
        ),
        (
            "   File name      Size   Time/Date         Location\n   ------\n   Abc.vxd     165,057   10/13/95 12:00p   Windows\\System\n",
            "
# -
10/13/95 | 12:00p | - | 165,057 | Abc.vxd | -
",
        ),
    ]);
}

#[test]
fn rows_without_a_heading_may_name_their_platform() {
    each(&[
        (
            "Obtain the following fix, or wait for the next service pack.\n\n   7/1/98   1:52am   537,120 Abc4.dll (Intel)\n   7/1/98   1:50am   \
             917,264 Abc4.dll (Alpha)\n",
            "
# Obtain the following fix, or wait for the next service pack.
7/1/98 | 1:52am | - | 537,120 | Abc4.dll | (Intel)
7/1/98 | 1:50am | - | 917,264 | Abc4.dll | (Alpha)
",
        ),
        (
            "4. Copy the following files to the path below.\n\n   Abc.dll i386\u{a0}\u{a0}1,562 bytes\n   Abc.dll Alpha\u{a0}\u{a0}2,394 bytes\n\n5. Restart.\n",
            "
# 4. Copy the following files to the path below.
- | - | - | 1,562 bytes | Abc.dll | i386
- | - | - | 2,394 bytes | Abc.dll | Alpha
",
        ),
        (
            "2. Copy the following files to the X folder:\n\n   Intel: Abc.exe 12/23/99 3:17p\n   Alpha: Abc.exe 12/23/99 3:18p\n\n",
            "
# 2. Copy the following files to the X folder:
12/23/99 | 3:17p | - | - | Abc.exe | Intel
12/23/99 | 3:18p | - | - | Abc.exe | Alpha
",
        ),
        (
            "The following list shows the file names and sizes:\n\nAbc64.vxd      22329    08/24/95\nAbc64.dll      62688    08/24/95\n",
            "
# The following list shows the file names and sizes:
08/24/95 | - | - | 22329 | Abc64.vxd | -
08/24/95 | - | - | 62688 | Abc64.dll | -
",
        ),
        (
            "The following versions of the Abc.dll file are right:\n\n   Abc.dll  106,960 bytes   08/24/96   version 4.00.950\n   \
             Abc.dll  version 4.00.955  dated 9/30/96  106,704 bytes\n",
            "
# The following versions of the Abc.dll file are right:
08/24/96 | - | 4.00.950 | 106,960 bytes | Abc.dll | -
9/30/96 | - | 4.00.955 | 106,704 bytes | Abc.dll | -
",
        ),
        (
            "The hotfix should have the following time stamp:\n\n   Intel\n   -----\n\n   5/18/98   6:11pm   110,560   Abc.dll\n\nAdditional \
             files:\n\n   3/30/98   12:45pm  149,632   Def.exe\n\n   Alpha\n   -----\n\n   5/18/98   6:10pm   227,328   Abc.dll\n\nAdditional \
             files:\n\n   3/30/98   12:45pm  578,320   Def.exe\n\nText.\n",
            "
# Intel
5/18/98 | 6:11pm | - | 110,560 | Abc.dll | Intel
# Additional files:
3/30/98 | 12:45pm | - | 149,632 | Def.exe | Intel
5/18/98 | 6:10pm | - | 227,328 | Abc.dll | Alpha
# Additional files:
3/30/98 | 12:45pm | - | 578,320 | Def.exe | Alpha
",
        ),
    ]);
}

#[test]
fn values_may_stand_one_a_line() {
    each(&[
        (
            "The fix has these properties:\n\n   File name:      Abc.dll\n   Size    :       1,234 bytes\n   Description:    A library.\n   Version Number: \
             1.2.3.4\n\n   Filename:       Def.exe\n   Modified date:  Wednesday, November 13, 1996 5:28:27 PM\n\nText: more.\n",
            "
# The fix has these properties:
- | - | 1.2.3.4 | 1,234 bytes | Abc.dll | -
Wednesday, November 13, 1996 | 5:28:27 PM | - | - | Def.exe | -
",
        ),
        (
            " - File Name: Abc.dll\n\n - File Size: 1,234 bytes\n\n - File Version: 2.31.001\n\nText.\n",
            "
# -
- | - | 2.31.001 | 1,234 bytes | Abc.dll | -
",
        ),
        (
            "<html><p>The file:<table><tr><td>File name<td>Abc.dll</tr><tr><td>Version<td>1.2.3.4</tr></table>",
            "
# The file:
- | - | 1.2.3.4 | - | Abc.dll | -
",
        ),
        ("   File name: Abc.dll\n   Description: a library\n", ""),
        ("   Name: Abc.dll\n   Size: 12\n", ""),
        ("For example:\n\n   File name: Abc.dll\n   Size: 1,234\n", ""),
    ]);
}
